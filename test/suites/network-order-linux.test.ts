import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { stepExitCodes } from '#contract/first-boot.ts';
import type { NetworkCard } from '#images/passport/hardware-passport.ts';
import { cardTableFile, linuxOrderFile, orderLooks } from '#runtime/hooks/network/linux-step.ts';
import { makeLinuxRoot } from '#test/support/linux-on-disk.ts';
import { newMac, plant, replaced, runNetworkOrder, terminal } from '#test/support/network-order.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';

/**
 * The order of the network cards of a Linux station after a restore: what is changed and staged before the first start,
 * then the staged step itself, which reads a sysfs of the test's.
 */

const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
afterAll(() => folder[Symbol.dispose]());

const root = at('root');
const agent = path.join(root, 'etc/rekindle/first-boot');
const write = (name: string, text: string) => {
  fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  fs.writeFileSync(path.join(root, name), text, { mode: 0o640 });
};
const read = (name: string) => fs.readFileSync(path.join(root, name), 'utf8');
const linux = (machine: readonly NetworkCard[]) =>
  runNetworkOrder(
    async () => ({ system: { kind: 'linux', root }, async [Symbol.asyncDispose]() {} }),
    machine,
  );

beforeEach(() => {
  fs.rmSync(root, { recursive: true, force: true });
  fs.mkdirSync(root);
  makeLinuxRoot(root);
  write('etc/systemd/network/10-plant.link', `[Match]\nMACAddress=${plant.mac}\n[Link]\nName=plant0\n`);
  write(
    'etc/udev/rules.d/70-persistent-net.rules',
    `SUBSYSTEM=="net", ATTR{address}=="${terminal.mac}", NAME="term0"\n# "${terminal.mac}"\n`,
  );
  write('etc/netplan/01.yaml', `macaddress: "${terminal.mac.toUpperCase()}"\n`);
  write('elsewhere', `${terminal.mac}\n`);
  fs.symlinkSync('/elsewhere', path.join(root, 'etc/netplan/02.yaml'));
});

/** A sysfs with these interfaces; assignments as the kernel numbers them (3: by user space, 4: renamed). */
function makeSysfs(
  cards: readonly { name: string; slot: string; mac: string; assigned?: number; address?: number }[],
) {
  const sys = fs.mkdtempSync(at('sys-'));
  fs.mkdirSync(path.join(sys, 'class/net'), { recursive: true });
  for (const { name, slot, mac, assigned = 4, address = 0 } of cards) {
    // As virtio has it: the interface is below a device of its own.
    const device = path.join(sys, 'devices/pci0000:00', slot, 'virtio0');
    const net = path.join(device, 'net', name);
    fs.mkdirSync(net, { recursive: true });
    fs.symlinkSync(device, path.join(net, 'device'));
    fs.symlinkSync(net, path.join(sys, 'class/net', name));
    fs.writeFileSync(path.join(net, 'address'), `${mac}\n`);
    fs.writeFileSync(path.join(net, 'name_assign_type'), `${assigned}\n`);
    fs.writeFileSync(path.join(net, 'addr_assign_type'), `${address}\n`);
  }
  fs.mkdirSync(path.join(sys, 'class/net/lo'));
  return sys;
}

function step(sys: string): { code: number; said: string[] } {
  const work = path.join(agent, 'work');
  try {
    const said = execFileSync('/bin/busybox', ['sh', `./${linuxOrderFile}`, cardTableFile, sys], {
      cwd: work,
    });
    return { code: 0, said: said.toString().trim().split('\n') };
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: Buffer };
    return { code: status, said: stdout.toString().trim().split('\n') };
  }
}

test('first-boot: a replaced card’s address goes into every file that binds a name to it, and nowhere else', async () => {
  const record = await linux([plant, replaced]);
  expect(record.result).toMatchObject({ outcome: 'staged' });
  expect(record.plan.map(({ sentence }) => sentence).join(' ')).toContain(
    '/etc/udev/rules.d/70-persistent-net.rules',
  );
  expect(read('etc/udev/rules.d/70-persistent-net.rules')).toBe(
    `SUBSYSTEM=="net", ATTR{address}=="${newMac}", NAME="term0"\n# "${newMac}"\n`,
  );
  expect(read('etc/netplan/01.yaml')).toBe(`macaddress: "${newMac.toUpperCase()}"\n`);
  expect(fs.statSync(path.join(root, 'etc/netplan/01.yaml')).mode & 0o777).toBe(0o640);
  expect(read('etc/systemd/network/10-plant.link')).toContain(plant.mac);
  expect(read('elsewhere')).toBe(`${terminal.mac}\n`);
  const staged = fs.readFileSync(path.join(agent, 'work', cardTableFile), 'utf8');
  expect(staged).toBe(`${plant.slot} ${plant.mac} plant0\n${terminal.slot} ${newMac} term0\n`);
  expect(fs.readFileSync(path.join(agent, 'steps/01-order/command'), 'utf8')).toBe(
    `sh ./${linuxOrderFile} ${cardTableFile}\n`,
  );
});

const good = [
  { name: 'plant0', slot: plant.slot, mac: plant.mac },
  { name: 'term0', slot: terminal.slot, mac: newMac },
] as const;

test('first-boot: names, slots and addresses as in the passport are done', async () => {
  await linux([plant, replaced]);
  const { code, said } = step(makeSysfs(good));
  expect(said.at(-1)).toBe("Network cards in the passport's order: plant0, term0.");
  expect(code).toBe(0);
});

test.each([
  [
    'names that are swapped',
    [
      { ...good[0], name: 'term0' },
      { ...good[1], name: 'plant0' },
    ],
    /is called term0, and the system's files say plant0\. .*is called plant0, and/,
  ],
  [
    'cards that are swapped',
    [
      { ...good[0], slot: terminal.slot },
      { ...good[1], slot: plant.slot },
    ],
    /In slot 0000:00:02\.0 is term0 with the address 52:54:00:ab:cd:ef instead of 52:54:00:00:00:01/,
  ],
] as const)('first-boot: %s have failed', async (_, cards, sentence) => {
  await linux([plant, replaced]);
  const { code, said } = step(makeSysfs(cards));
  expect(said.at(-1)).toMatch(sentence);
  expect(code).toBe(1);
});

test('first-boot: an address that the system has set itself is not compared', async () => {
  await linux([plant, replaced]);
  const { code } = step(makeSysfs([good[0], { ...good[1], mac: plant.mac, address: 3 }]));
  expect(code).toBe(0);
});

test('first-boot: a list that is gone or empty proves nothing', async () => {
  await linux([plant, replaced]);
  fs.writeFileSync(path.join(agent, 'work', cardTableFile), '');
  expect(step(makeSysfs(good))).toEqual({ code: 1, said: [expect.stringMatching(/nothing was compared/)] });
  fs.rmSync(path.join(agent, 'work', cardTableFile));
  expect(step(makeSysfs(good)).code).not.toBe(0);
});

test('first-boot: names that only the kernel has counted are said to be unverified', async () => {
  for (const name of ['etc/systemd/network/10-plant.link', 'etc/udev/rules.d/70-persistent-net.rules'])
    fs.rmSync(path.join(root, name));
  await linux([plant, replaced]);
  const counted = good.map((card, number) => ({ ...card, name: `eth${number}`, assigned: 1 }));
  const { code, said } = step(makeSysfs(counted));
  expect(said.at(-1)).toMatch(/the kernel counts eth0 eth1 in the order in which it finds them/);
  expect(code).toBe(stepExitCodes.unverified);
});

test('first-boot: a card without an interface is waited for, then it has failed', async () => {
  await linux([plant, replaced]);
  const sys = makeSysfs(good.slice(0, 1));
  for (let look = 1; look < orderLooks; look += 1) expect(step(sys).code).toBe(stepExitCodes.retry);
  const { code, said } = step(sys);
  expect(said.at(-1)).toMatch(/Slot 0000:00:03\.0 has no network interface/);
  expect(code).toBe(1);
});
