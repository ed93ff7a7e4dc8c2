import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { stepExitCodes } from '#contract/first-boot.ts';
import { hookPlanSchema } from '#contract/hook.ts';
import type { NetworkCard } from '#images/passport/hardware-passport.ts';
import { stageFirstBoot } from '#runtime/first-boot/stage-first-boot.ts';
import { cardTableFile, linuxOrderFile, orderLooks } from '#runtime/hooks/network/linux-step.ts';
import { formatWindowsTable, windowsOrderFile } from '#runtime/hooks/network/windows-connections.ts';
import type { OpenSystem } from '#runtime/hooks/open-restored-system.ts';
import { runOfflineHooks } from '#runtime/hooks/run-offline-hooks.ts';
import { applyEdit, type HivePatch } from '#runtime/hooks/windows/registry/hive-patch.ts';
import { openHiveForWriting } from '#runtime/hooks/windows/registry/open-hive.ts';
import { formatRegistryFile } from '#runtime/hooks/windows/registry/registry-file.ts';
import { openRestoredWindows } from '#runtime/hooks/windows/restored-windows.ts';
import {
  buildWindowsStation,
  stationDisk,
  windowsStation,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';
import { makeLinuxRoot } from '#test/support/linux-on-disk.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { connectionsPatch, presentPatch, type RegisteredCard } from '#test/support/windows-connections.ts';
import { config, inVolume } from '#test/support/windows-disk.ts';
import { startWineStation, type WineStation } from '#test/support/wine-station.ts';

/**
 * The order of the network cards after a restore: what is changed and staged before the first start, then the staged
 * steps themselves. On Linux they read a sysfs of the test's, on Windows Wine's registry; a driver that finds its
 * device, and Windows obeying what is written, is not in it.
 */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);
afterAll(() => folder[Symbol.dispose]());

const [plant, second] = somePassport().networkCards as [NetworkCard, NetworkCard];
const terminal: NetworkCard = { ...second, mac: '52:54:00:0a:00:02' };
const newMac = '52:54:00:ab:cd:ef';
const replaced: NetworkCard = { ...terminal, mac: newMac };

async function runHook(openSystem: () => Promise<OpenSystem>, machine: readonly NetworkCard[]) {
  const records = await runOfflineHooks({
    plan: hookPlanSchema.parse({
      ...{ station: 'OS-SRV-1A', stationRole: 'server' },
      hooks: [{ id: 'order', kind: 'network-order' }],
    }),
    jobId: '11111111-2222-4333-8444-555555555555',
    ref: 'OS-SRV-1A@20261120T020000Z',
    manifest: { station: 'OS-SRV-1A', capturedAt: '2026-11-20T02:00:00Z', stationRole: 'server' } as never,
    earlier: [],
    material: {
      firstBootKey: 'ab'.repeat(32),
      servers: ['http://10.77.0.1:8080'],
      files: [],
      failed: [],
    },
    disks: [],
    networkCards: { image: [plant, terminal], machine },
    readFirstBootFile,
    openSystem,
    stageFirstBoot: (system, staged) => stageFirstBoot(system, staged, readFirstBootFile),
    say: () => {},
    now: () => new Date(),
  });
  const [record] = records;
  if (record === undefined) throw new Error('one hook, one record');
  return record;
}

describe('Linux', () => {
  const root = at('root');
  const agent = path.join(root, 'etc/rekindle/first-boot');
  const write = (name: string, text: string) => {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text, { mode: 0o640 });
  };
  const read = (name: string) => fs.readFileSync(path.join(root, name), 'utf8');
  const linux = (machine: readonly NetworkCard[]) =>
    runHook(async () => ({ system: { kind: 'linux', root }, async [Symbol.asyncDispose]() {} }), machine);

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
});

describe('Windows', () => {
  const service = 'e1iexpress';
  const plantCard: RegisteredCard = {
    guid: '{11111111-0000-4000-8000-000000000001}',
    name: 'Anlagenbus für S7',
    place: [0, 2, 0],
    service,
    instance: '3&11583659&0&10',
  };
  const terminalCard: RegisteredCard = {
    guid: '{22222222-0000-4000-8000-000000000002}',
    name: 'Terminal bus',
    place: [0, 3, 0],
    service,
    instance: '525400FFFF00000200',
  };
  /** The same slot, another serial number: another device for Windows. */
  const newCard: RegisteredCard = {
    ...terminalCard,
    ...{ guid: '{33333333-0000-4000-8000-000000000003}', name: 'Ethernet 3', instance: '525400FFFFABCDEF00' },
  };
  /** The terminal bus is bound first. */
  const stored = [terminalCard, plantCard];
  let wine: WineStation;
  let work: string;

  beforeAll(async () => {
    wine = await startWineStation(folder.path);
    wine.start();
    await vi.waitFor(() => expect(wine.programs().join('\n')).toContain('services.exe'), 30_000);
  });
  afterAll(() => wine[Symbol.asyncDispose]());

  const interfaces = 'HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\\Interfaces';
  const bindKey = 'HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Linkage';
  const nameOf = async ({ guid }: RegisteredCard): Promise<string> => {
    const key = `HKLM\\SYSTEM\\CurrentControlSet\\Control\\Network\\{4D36E972-E325-11CE-BFC1-08002BE10318}\\${guid}\\Connection`;
    return /REG_SZ\s+(.*?)\r?\n/.exec((await wine.wine('reg', 'query', key, '/v', 'Name')).stdout)?.[1] ?? '';
  };
  const bound = async (): Promise<string> =>
    (await wine.wine('reg', 'query', bindKey, '/v', 'Bind')).stdout.replaceAll(/[^{]*(\{.)[^{]*/g, '$1');

  /** Windows as it comes up: these are stored in this order, those of them are there. */
  async function startWith(inOrder: readonly RegisteredCard[], present: readonly RegisteredCard[]) {
    const set = 'CurrentControlSet';
    const patch: HivePatch = [...connectionsPatch(set, inOrder), ...presentPatch(set, service, present)];
    fs.writeFileSync(
      path.join(wine.drive, 'cards.reg'),
      formatRegistryFile(patch, 'HKEY_LOCAL_MACHINE\\SYSTEM'),
    );
    await wine.wine('reg', 'import', 'C:\\cards.reg');
    await wine.wine(
      'reg',
      'add',
      `${interfaces}\\${terminalCard.guid}`,
      '/v',
      'IPAddress',
      '/d',
      '192.168.7.2',
      '/f',
    );
  }
  const step = () =>
    wine.wine(
      'cmd',
      '/d',
      '/c',
      `cd /d C:\\work && %SystemRoot%\\System32\\cscript.exe //NoLogo ${windowsOrderFile}`,
    );

  beforeEach(async () => {
    work = path.join(wine.drive, 'work');
    fs.rmSync(work, { recursive: true, force: true });
    fs.mkdirSync(work);
    fs.writeFileSync(
      path.join(work, windowsOrderFile),
      await readFirstBootFile(`windows/${windowsOrderFile}`),
    );
    const slots = [terminal.slot, plant.slot] as const;
    const table = stored.map(({ guid, name }, number) => ({
      guid,
      name,
      service,
      slot: slots[number] ?? '',
    }));
    fs.writeFileSync(path.join(work, cardTableFile), formatWindowsTable(table));
    await wine.wine('reg', 'delete', interfaces, '/f');
  });

  test('first-boot: staged with the connections of the stored registry, in the order of their binding', async () => {
    const disk = at('station.img');
    const station = windowsStation();
    using hive = openHiveForWriting(Buffer.from(station.files.windows[`${config}/SYSTEM`] ?? ''), 'SYSTEM');
    const other = { ...newCard, place: [0, 9, 0] as const, name: 'Not in the passport' };
    for (const edit of connectionsPatch('ControlSet001', [terminalCard, other, plantCard]))
      applyEdit(hive, edit);
    const windows = { ...station.files.windows, [`${config}/SYSTEM`]: hive.toBytes() };
    await buildWindowsStation(disk, { ...station, files: { ...station.files, windows } });
    const record = await runHook(async () => {
      const opened = await openRestoredWindows([{ path: disk, isBlockDevice: false }]);
      if (opened.kind !== 'open') throw new Error(opened.kind);
      return opened;
    }, [plant, replaced]);
    expect(record.result).toMatchObject({ outcome: 'staged' });
    expect(record.evidence).toContainEqual({
      ...{ name: 'replaced card', value: `${newMac} instead of ${terminal.mac} in slot ${terminal.slot}` },
    });
    const table = inVolume(disk, stationDisk.windows, (root) =>
      fs.readFileSync(path.join(root, 'Windows/Rekindle/work', cardTableFile), 'utf8'),
    );
    expect(table).toBe(fs.readFileSync(path.join(work, cardTableFile), 'utf8'));
    expect(table).toContain('Anlagenbus f\\u00fcr S7');
  });

  test('first-boot: as it was is done, and nothing is changed', async () => {
    await startWith(stored, stored);
    const { code, stdout } = await step();
    expect(stdout).toMatch(
      /Network connections have their names and their order: Terminal bus, Anlagenbus f.r S7\./,
    );
    expect(code).toBe(0);
    expect(await bound()).toBe('{2{1');
  });

  test('first-boot: a card that counts as new takes over name, address and place; Windows restarts, then it is done', async () => {
    await startWith([terminalCard, plantCard, newCard], [plantCard, newCard]);
    const first = await step();
    expect(first.stdout).toMatch(
      /The card in slot 0000:00:03\.0 is "Ethernet 3" instead of "Terminal bus"\. Windows takes/,
    );
    expect(first.code).toBe(stepExitCodes.restartRetry);
    expect([await nameOf(newCard), await nameOf(terminalCard)]).toEqual([
      'Terminal bus',
      'Terminal bus (replaced)',
    ]);
    expect(await bound()).toBe('{3{1{2');
    expect((await wine.wine('reg', 'query', `${interfaces}\\${newCard.guid}`)).stdout).toContain(
      '192.168.7.2',
    );
    const second = await step();
    expect(second.stdout).toMatch(/their order, after they were given back: Terminal bus/);
    expect(second.code).toBe(0);
  });

  test('first-boot: another order of binding is put right once; when it does not stay so, it has failed', async () => {
    await startWith([plantCard, newCard, terminalCard], stored);
    expect((await step()).code).toBe(stepExitCodes.restartRetry);
    expect(await bound()).toBe('{2{3{1');
    await startWith([plantCard, newCard, terminalCard], stored);
    const { code, stdout } = await step();
    expect(stdout).toMatch(/comes before a card that it came after/);
    expect(code).toBe(1);
  });

  test('first-boot: a list that is empty proves nothing', async () => {
    await startWith(stored, stored);
    fs.writeFileSync(path.join(work, cardTableFile), '');
    const { code, stdout } = await step();
    expect(stdout).toMatch(/nothing was compared/);
    expect(code).toBe(1);
  });

  test('first-boot: a card that Windows does not see is waited for, then it has failed', async () => {
    await startWith(stored, [plantCard]);
    expect((await step()).code).toBe(stepExitCodes.retry);
    fs.writeFileSync(path.join(work, 'network-order.looks'), '.'.repeat(orderLooks));
    const { code, stdout } = await step();
    expect(stdout).toMatch(/Windows sees no network card in slot 0000:00:03\.0\./);
    expect(code).toBe(1);
  });
});
