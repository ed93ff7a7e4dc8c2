import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DomainController } from '#contract/hook-kinds/domain-controller.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import type { NetworkCard } from '#images/passport/hardware-passport.ts';
import { openRestoredSystem } from '#runtime/hooks/open-restored-system.ts';
import { runOfflineHooks } from '#runtime/hooks/run-offline-hooks.ts';
import { assertControllerState } from '#runtime/steps/assert-roles.ts';
import {
  buildWindowsStation,
  defaultLoader,
  placeOf,
  stationDisk,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { systemHive } from '#scripts/rehearsal/windows-station/station-hives.ts';
import {
  controllerIdentity,
  controllerName,
  controllerPlan,
  controllerPreflight,
  controllerStation,
  lastResort,
  wbadminBackup,
} from '#test/support/controller-station.ts';
import { offlineRun } from '#test/support/offline-run.ts';
import { makeTemporaryFolder, run } from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { config, esp, hiveSays, inVolume, readFromEsp, writeFiles } from '#test/support/windows-disk.ts';

/** The disk of a domain controller before its first start: real NTFS, real hives, read back by hivexget. */

const directory = 'ControlSet001\\Services\\NTDS\\Parameters';
const held = 'ControlSet001\\Control\\RekindleHeld';
const flags = 'ControlSet001\\Services\\NtFrs\\Parameters\\Backup/Restore\\Process at Startup';
let folder: ReturnType<typeof makeTemporaryFolder>;
let disk: string;
/** What the last run handed on to the first boot. */
let staged: unknown;

beforeAll(async () => {
  folder = makeTemporaryFolder();
  await buildWindowsStation(path.join(folder.path, 'good.img'), controllerStation());
}, 300_000);
afterAll(() => folder[Symbol.dispose]());

async function controller(hive?: Uint8Array): Promise<void> {
  disk = path.join(folder.path, 'station.img');
  fs.rmSync(disk, { force: true });
  run('cp', '--sparse=always', path.join(folder.path, 'good.img'), disk);
  if (hive !== undefined) await writeFiles(disk, stationDisk.windows, { [`${config}/SYSTEM`]: hive });
}

const [card] = somePassport().networkCards as [NetworkCard];
const image = {
  station: controllerName,
  computerName: controllerName,
  stationRole: 'domain-controller',
  disks: [{ volumes: [{ role: 'system', fileSystem: 'ntfs' }] }],
} as unknown as ImageManifest;

/** What the runtime does after the restore, with nobody's files and nothing staged. */
async function applied(
  systemState: DomainController['systemState'] = lastResort,
  {
    manifest = image,
    verdict = 'state-hook-required',
    quarantine = 'network-off' as DomainController['quarantine'],
    /** What the machine has instead of the image's card. */
    mac = card.mac,
  } = {},
): Promise<HookRecord> {
  const [record, ...more] = await runOfflineHooks({
    ...offlineRun([]),
    plan: controllerPlan(systemState, quarantine),
    ref: `${controllerName}@2026-11-27T02:00:00Z`,
    manifest,
    earlier: [controllerPreflight(verdict)],
    disks: [{ image: manifest.disks[0] as never, path: disk, isBlockDevice: false }],
    networkCards: { image: [card], machine: [{ ...card, mac }] },
    openSystem: openRestoredSystem,
    stageFirstBoot: async (_, { plan, files }) => {
      const settings = files.find(({ name }) => name === 'domain-controller.txt');
      staged = {
        steps: plan.steps,
        files: files.map(({ name }) => name),
        settings: Buffer.from(settings?.bytes ?? []).toString(),
      };
    },
  });
  if (record === undefined || more.length > 0) throw new Error('one hook, one record');
  return record;
}

const systemHiveNow = (): Buffer =>
  inVolume(disk, stationDisk.windows, (root) => fs.readFileSync(`${root}/${config}/SYSTEM`));
const evidenceOf = ({ evidence }: HookRecord) =>
  Object.fromEntries(evidence.map(({ name, value }) => [name, value]));

describe('without a system-state backup', () => {
  test('the registry says "restored from backup", once and twice, and keeps the rest; network cards and DFSR wait', async () => {
    await controller();
    const record = await applied();
    expect(record.result).toMatchObject({
      outcome: 'staged',
      sentence: expect.stringMatching(/event 1109/),
    });
    expect(evidenceOf(record)).toMatchObject({
      'directory database': 'C:\\Windows\\NTDS\\ntds.dit',
      'DSA Previous Restore Count before': '0',
      'SYSVOL is replicated by': 'DFSR',
      'control set': 'ControlSet001',
    });
    expect(record.plan).toContainEqual({
      kind: 'change',
      sentence: expect.stringMatching(/^DFSR waits/),
    });
    const once = systemHiveNow();
    expect(hiveSays(once, directory, 'Database restored from backup')).toBe('1');
    for (const start of ['Default', 'LastKnownGood']) expect(hiveSays(once, 'Select', start)).toBe('1');
    expect(hiveSays(once, directory, 'DSA Working Directory')).toBe('C:\\Windows\\NTDS');
    expect(() => hiveSays(once, directory, 'DSA Previous Restore Count')).toThrow();
    // Off until the agent has seen the proof; what each had is written down, and the disk's driver starts.
    const services = 'ControlSet001\\Services';
    for (const [service, start] of Object.entries({ e1iexpress: '3', DFSR: '2' })) {
      expect(hiveSays(once, `${services}\\${service}`, 'Start')).toBe('4');
      expect(hiveSays(once, held, service)).toBe(start);
    }
    expect(hiveSays(once, `${services}\\storahci`, 'Start')).toBe('0');
    expect(hiveSays(once, `${services}\\NdisWan`, 'Start')).toBe('3');
    expect((await applied()).result.outcome).toBe('staged');
    expect(systemHiveNow()).toEqual(once);
    expect(staged).toMatchObject({
      steps: [{ hook: 'state', command: 'domain-controller.cmd', timeoutSeconds: 900 }],
      files: [
        'domain-controller.cmd',
        'domain-controller.txt',
        'domain-controller.js',
        'lift-quarantine.cmd',
      ],
      settings: expect.stringMatching(
        /^restoreCountBefore=0\r\ninvocationId=[\s\S]*sysvol=DFSR\r\n[\s\S]*hold-network=3 e1iexpress\r\nhold-sysvol=2 DFSR\r\n$/,
      ),
    });
  });

  test('FRS is told to take SYSVOL from a partner, unless DFSR has taken over', async () => {
    const place = placeOf(stationDisk.windows);
    await controller(systemHive({ ...controllerIdentity, sysvol: 'FRS', restoreCount: 2 }, place));
    expect(evidenceOf(await applied())).toMatchObject({
      'SYSVOL is replicated by': 'FRS',
      'DSA Previous Restore Count before': '2',
    });
    expect(hiveSays(systemHiveNow(), flags, 'BurFlags')).toBe(String(0xd2));
    await controller(systemHive({ ...controllerIdentity, sysvol: 'FRS to DFSR' }, place));
    expect(evidenceOf(await applied())).toMatchObject({ 'SYSVOL is replicated by': 'DFSR' });
    expect(() => hiveSays(systemHiveNow(), flags, 'BurFlags')).toThrow();
  });
});

describe('quarantine', () => {
  const place = placeOf(stationDisk.windows);

  test('by hand: a person is told to, and every network card starts', async () => {
    await controller();
    const record = await applied(lastResort, { quarantine: 'by-hand' });
    expect(record.plan).toContainEqual({
      kind: 'needs-person',
      sentence: expect.stringMatching(/pull its network cables/),
    });
    expect(hiveSays(systemHiveNow(), 'ControlSet001\\Services\\e1iexpress', 'Start')).toBe('3');
  });

  test('every driver of a network card waits, once', async () => {
    const networkDrivers = ['e1iexpress', 'b57nd60a', 'e1iexpress'];
    await controller(systemHive({ ...controllerIdentity, networkDrivers }, place));
    expect((await applied()).plan).toContainEqual({
      kind: 'change',
      sentence: expect.stringMatching(/^Its network cards \(b57nd60a, e1iexpress\) do not start/),
    });
  });

  test('with a card that was replaced it does not start at all, unless by hand', async () => {
    await controller();
    const mac = '52:54:00:ab:cd:ef';
    expect((await applied(lastResort, { mac })).result).toMatchObject({
      outcome: 'failed',
      sentence: expect.stringMatching(/replaced since the image was taken \(52:54:00:ab:cd:ef\)/),
      next: expect.stringMatching(/by-hand/),
    });
    expect(() => hiveSays(systemHiveNow(), directory, 'Database restored from backup')).toThrow();
    expect((await applied(lastResort, { mac, quarantine: 'by-hand' })).result.outcome).toBe('staged');
  });

  test.each([
    ['that cannot be held back', ['e1iexpress', 'Odd Driver']],
    ['that it does not name', []],
  ])('with a network card %s it does not start at all, unless by hand', async (_, networkDrivers) => {
    await controller(systemHive({ ...controllerIdentity, networkDrivers }, place));
    expect((await applied()).result).toMatchObject({
      outcome: 'failed',
      next: expect.stringMatching(/by-hand/),
    });
    expect(() => hiveSays(systemHiveNow(), directory, 'Database restored from backup')).toThrow();
    expect((await applied(lastResort, { quarantine: 'by-hand' })).result.outcome).toBe('staged');
  });
});

test('with a backup it starts in directory services restore mode, and its registry stays', async () => {
  await controller();
  const before = systemHiveNow();
  const record = await applied(wbadminBackup);
  expect(record.result).toMatchObject({
    outcome: 'staged',
    sentence: expect.stringMatching(/restore mode only/),
  });
  expect(record.plan.map(({ sentence }) => sentence).join('\n')).toContain(
    'wbadmin start systemstaterecovery -version:11/20/2026-02:00 -backupTarget:E: -machine:%COMPUTERNAME% -quiet',
  );
  expect(systemHiveNow()).toEqual(before);
  expect(staged).toMatchObject({
    steps: [{ timeoutSeconds: 7200 }],
    settings: expect.stringMatching(/sysvol=\r\nsysvolPauseSeconds=45\r\n$/),
  });
  const element = `Objects\\${defaultLoader}\\Elements\\25000080`;
  // hivexget prints the bytes as they are.
  expect(hiveSays(readFromEsp(disk, esp.bcd), element, 'Element').charCodeAt(0)).toBe(2);
});

describe('nothing is changed', () => {
  const place = placeOf(stationDisk.windows);
  test.each<[string, () => Promise<HookRecord>, RegExp]>([
    [
      'on a server that is no controller',
      async () => {
        await controller(systemHive({ ...controllerIdentity, productType: 'ServerNT' }, place));
        return applied();
      },
      /its registry says that it is a server/,
    ],
    [
      'on another controller',
      async () => {
        await controller(systemHive({ ...controllerIdentity, computerName: 'DC-9' }, place));
        return applied();
      },
      /its registry is that of DC-9/,
    ],
    [
      'when the manifest says server',
      async () => {
        await controller();
        return applied(lastResort, { manifest: { ...image, stationRole: 'server' } });
      },
      /the image's manifest says that it is a server's/,
    ],
    [
      'when the directory was not asked',
      async () => {
        await controller();
        return applied(lastResort, { verdict: 'no-controller' });
      },
      /the directory was not asked/,
    ],
    [
      'where the directory says that there are others',
      async () => {
        await controller();
        return applied({ from: 'only-controller-of-forest' });
      },
      /the directory says otherwise/,
    ],
    [
      'where Windows had seen a rollback',
      async () => {
        await controller(systemHive({ ...controllerIdentity, notWritable: true }, place));
        return applied();
      },
      /Dsa Not Writable/,
    ],
  ])('%s: the sentence says why, and not to start the disk', async (_, attempt, why) => {
    const { result } = await attempt();
    expect(result).toMatchObject({
      outcome: 'failed',
      sentence: expect.stringMatching(why),
      next: expect.stringMatching(/^Do not start this disk/),
    });
    expect(() => hiveSays(systemHiveNow(), directory, 'Database restored from backup')).toThrow();
  });

  test('on the only controller of its forest', async () => {
    await controller();
    const before = systemHiveNow();
    const { result } = await applied(lastResort, { verdict: 'sole-controller' });
    expect(result.outcome).toBe('skipped');
    expect(systemHiveNow()).toEqual(before);
  });
});

test('a plan is let through where the registry can be changed, and refused before the first write where not', () => {
  const records = [controllerPreflight()];
  const imageWith = (fileSystem: string) =>
    ({ disks: [{ volumes: [{ role: 'system', fileSystem }] }] }) as unknown as ImageManifest;
  expect(() => assertControllerState(controllerPlan(), records, imageWith('ntfs'))).not.toThrow();
  for (const fileSystem of ['ext4', 'BitLocker']) {
    expect(() => assertControllerState(controllerPlan(), records, imageWith(fileSystem))).toThrow(
      `preparing the restore of the domain controller ${controllerName}`,
    );
    const sole = [controllerPreflight('sole-controller')];
    expect(() => assertControllerState(controllerPlan(), sole, imageWith(fileSystem))).not.toThrow();
  }
});
