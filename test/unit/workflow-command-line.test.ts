import { describe, expect, test } from 'vitest';
import { formatError } from '#base/errors.ts';
import { describeStationNetwork, formatStationNetwork } from '#contract/station-network.ts';
import { parseImageChoice } from '#runtime/steps/choose-image.ts';
import { parseCommandLine } from '#runtime/steps/command-line.ts';

const good =
  'vmlinuz initrd=runtime initrd=driver-pack console=tty0 console=ttyS0,115200 ' +
  'rekindle.server=https://10.77.0.1:8443 rekindle.mac=52:54:00:00:00:01 rekindle.purpose=recovery';
const messageOf = (text: string) => {
  try {
    parseCommandLine(text);
    return '';
  } catch (error) {
    return formatError(error);
  }
};

describe('kernel command line', () => {
  test('as iPXE leaves it', () => {
    expect(parseCommandLine(`${good}\n`)).toEqual({
      server: 'https://10.77.0.1:8443',
      bootMac: '52:54:00:00:00:01',
      purpose: 'recovery',
      imageFrom: 'service',
      standIn: false,
      dryRun: false,
      network: {},
    });
  });
  test('a MAC address with hyphens and capitals; dry run', () => {
    const text = good.replace('52:54:00:00:00:01', '52-54-00-AB-CD-EF');
    expect(parseCommandLine(`${text} rekindle.dry-run`)).toMatchObject({
      bootMac: '52:54:00:ab:cd:ef',
      dryRun: true,
    });
  });
  test("the station's network settings", () => {
    const words =
      'rekindle.vlan=20 rekindle.address=10.77.0.20/24 rekindle.router=10.77.0.1 rekindle.mtu=9000 rekindle.wait=120';
    const { network } = parseCommandLine(`${good} ${words}`);
    expect(network).toEqual({
      vlan: 20,
      address: '10.77.0.20/24',
      router: '10.77.0.1',
      mtu: 9000,
      waitSeconds: 120,
    });
    expect(formatStationNetwork(network).join(' ')).toBe(words);
    expect(describeStationNetwork(network)).toBe(
      'VLAN 20, fixed address 10.77.0.20/24, router 10.77.0.1, MTU 9000, waits 120 s',
    );
  });
  test.each([
    ['rekindle.vlan=4095', 'rekindle.vlan=4095: '],
    ['rekindle.vlan=x', 'rekindle.vlan=x: '],
    ['rekindle.address=10.77.0.20', 'rekindle.address=10.77.0.20: '],
    ['rekindle.mtu=99999', 'rekindle.mtu=99999: '],
    ['rekindle.router=10.77.0.1', 'a router goes with a fixed address'],
  ])('a network setting that is none: %s', (word, expected) => {
    expect(messageOf(`${good} ${word}`)).toContain(expected);
  });
  test('everything that is wrong is named at once', () => {
    const message = messageOf('rekindle.server=http://10.77.0.1 rekindle.mac=none rekindle.purpose=wipe');
    expect(message).toContain('rekindle.server=http://10.77.0.1 is no https address');
    expect(message).toContain('rekindle.mac=none is no MAC address');
    expect(message).toContain('rekindle.purpose=wipe is neither recovery nor enrolment');
    expect(message).toContain('Next: ');
  });
  test('an empty one', () => {
    expect(messageOf('')).toContain('rekindle.purpose= is neither');
  });
});

describe('choice of an image', () => {
  test.each([
    ['', 0],
    [' ', 0],
    ['1', 0],
    ['3', 2],
    ['4', undefined],
    ['0', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['newest', undefined],
    ['99999999999999999999', undefined],
  ])('"%s"', (answer, expected) => {
    expect(parseImageChoice(answer, 3)).toBe(expected);
  });
});
