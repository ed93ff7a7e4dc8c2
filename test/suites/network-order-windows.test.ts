import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { stepExitCodes } from '#contract/first-boot.ts';
import { cardTableFile, orderLooks } from '#runtime/hooks/network/linux-step.ts';
import { formatWindowsTable, windowsOrderFile } from '#runtime/hooks/network/windows-connections.ts';
import { applyEdit } from '#runtime/hooks/windows/registry/hive-patch.ts';
import { openHiveForWriting } from '#runtime/hooks/windows/registry/open-hive.ts';
import {
  buildWindowsStation,
  stationDisk,
  windowsStation,
} from '#scripts/rehearsal/windows-station/build-windows-station.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';
import { newMac, plant, replaced, runNetworkOrder, terminal } from '#test/support/network-order.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';
import { connectionsPatch, presentPatch, type RegisteredCard } from '#test/support/windows-connections.ts';
import { config, inVolume, openWindowsDisk } from '#test/support/windows-disk.ts';
import { startRunningWineStation, type WineStation } from '#test/support/wine-station.ts';

/**
 * The order of the network cards of a Windows station after a restore: what is staged before the first start, then the
 * staged step itself, on Wine's registry. A driver that finds its device, and Windows obeying what is written, is not in it.
 */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const folder = makeTemporaryFolder();
const at = (name: string): string => path.join(folder.path, name);

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
  wine = await startRunningWineStation(folder.path);
});
afterAll(async () => {
  await wine[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

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
  await wine.changeRegistry([...connectionsPatch(set, inOrder), ...presentPatch(set, service, present)]);
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
const step = () => wine.inWork(`%SystemRoot%\\System32\\cscript.exe //NoLogo ${windowsOrderFile}`);

beforeEach(async () => {
  work = wine.work;
  fs.rmSync(work, { recursive: true, force: true });
  fs.mkdirSync(work);
  fs.writeFileSync(path.join(work, windowsOrderFile), await readFirstBootFile(`windows/${windowsOrderFile}`));
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
  const record = await runNetworkOrder(() => openWindowsDisk(disk), [plant, replaced]);
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
  expect((await wine.wine('reg', 'query', `${interfaces}\\${newCard.guid}`)).stdout).toContain('192.168.7.2');
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
