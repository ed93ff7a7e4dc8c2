import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kernelWords } from '#contract/command-line.ts';
import { formatPublicKey, generateKeyPair } from '#images/format/minisign.ts';
import { demoStationHardware } from '#scripts/rehearsal/demo-station/hardware.ts';
import { startMachine } from '#scripts/rehearsal/emulated-machine.ts';
import type { MachineHardware } from '#scripts/rehearsal/machine-hardware.ts';
import { type BuiltRuntime, buildRuntime } from '#scripts/runtime/build-runtime.ts';
import { writeSiteRuntime } from '#scripts/runtime/site-runtime.ts';

/** The compiled runtime on a real kernel's consoles, where nothing drives the network card. */

let directory: string;
let runtime: BuiltRuntime;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runtime-console-'));
  runtime = await buildRuntime({ cacheDirectory: '.rekindle/cache', fast: true });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function start(name: string, initrd: string, hardware: MachineHardware) {
  return startMachine({
    name,
    hardware,
    firmware: { kind: 'bios' },
    bootFrom: 'disk',
    onReboot: 'stop',
    directory,
    directKernel: {
      kernel: runtime.vmlinuz,
      initrd,
      commandLine:
        `console=tty0 console=ttyS0,115200 ${kernelWords.join(' ')} rekindle.server=https://10.77.0.1:8443 ` +
        'rekindle.mac=52:54:00:77:00:01 rekindle.purpose=recovery',
    },
  });
}

test('without a driver pack: PCI ids, a failure with its reasons, menu, shell, power off', async () => {
  const { path: initrd } = await writeSiteRuntime({
    base: runtime.initrd.path,
    site: { caPem: 'CA of the test', imageSignerPublicKey: formatPublicKey(generateKeyPair()) },
    output: join(directory, 'runtime.initrd'),
  });
  const disk = join(directory, 'disk.raw');
  await writeFile(disk, '');
  await truncate(disk, 2 ** 20);
  await using machine = await start('console', initrd, demoStationHardware({ disk }));
  const see = (pattern: RegExp, timeoutSeconds = 30) => machine.console.waitFor(pattern, { timeoutSeconds });

  await see(/Rekindle recovery +https:\/\/10\.77\.0\.1:8443/, 180);
  await see(/There is no driver pack in this boot/);
  await see(/0000:00:03\.0 +1af4:1000/);
  await see(/Stopped \(exit code 1\)/);
  await see(/because: no network card has a driver/);
  await see(/Nothing was written to any disk\./);
  await see(/Choose 1 to 4: $/m);
  await machine.console.type('2\r');
  await see(/# $/m);
  await machine.console.type('echo $((6 * 7))\r');
  await see(/^42/m);
  await machine.console.type('exit\r');
  await see(/Choose 1 to 4: $/m);
  await machine.console.type('\x1b[Ax\x7f1\r');
  await see(/There is no driver pack in this boot/);
  await see(/Choose 1 to 4: $/m);
  await machine.console.type('4\r');
  await machine.waitForEnd({ timeoutSeconds: 60 });
  expect(machine.console.text()).not.toContain('The recovery runtime ended');
});

const starts = [
  {
    file: 'rekindle/recovery-runtime.zst',
    says: /pzstd: \S+ \w.*\s+The recovery runtime cannot be unpacked/,
    ends: /ended with exit code 126/,
  },
  {
    file: 'rekindle/later.cpio.zst',
    says: /Rekindle is starting\.\s+Unpacking the tools of the recovery runtime into memory:[^[]*pzstd:\s/,
    ends: /ended with exit code 1;/,
  },
];

test.each(starts)('a wrong byte in $file stops the start, with the reason', async ({ file, says, ends }) => {
  const archive = execFileSync('zstd', ['-d', '-q', '-c', runtime.initrd.path], { maxBuffer: 2 ** 27 });
  const inside = archive.indexOf(`${file}\0`) + 2 ** 20;
  archive.writeUInt8(archive.readUInt8(inside) ^ 1, inside);
  const initrd = join(directory, 'damaged.initrd');
  await writeFile(initrd, archive);
  const hardware = { ...demoStationHardware({ disk: '' }), nics: [], disks: [] };
  await using machine = await start('damaged', initrd, hardware);
  await machine.console.waitFor(says, { timeoutSeconds: 180 });
  await machine.console.waitFor(ends, { timeoutSeconds: 30 });
  await machine.console.waitFor(/\[r\] start it again/, { timeoutSeconds: 30 });
});
