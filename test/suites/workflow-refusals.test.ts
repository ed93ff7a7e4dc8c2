import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApiService } from '#test/support/api-service.ts';
import { chooseNewest, confirm, leave, logOn } from '#test/support/at-the-console.ts';
import { captureImageOf } from '#test/support/capture-image-of.ts';
import { controllerFactsOf } from '#test/support/controller-facts.ts';
import { fileMachine } from '#test/support/file-machine.ts';
import {
  demoDisk,
  makeBlankDisk,
  noise,
  run,
  sha256OfFile,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import {
  healthy,
  startWorkflowSite,
  station,
  stationDisk,
  type WorkflowSite,
} from '#test/support/workflow-site.ts';

/** What the whole program refuses, against the real service over TLS, and leaves the disk as it was. */

let site: WorkflowSite;

beforeAll(async () => {
  site = await startWorkflowSite();
  const sitting = site.capture(site.machineOf(site.diskFile));
  await logOn(sitting);
  await confirm(sitting, 'capture', station);
  expect(await sitting.result).toEqual({ end: 'restart', exitCode: 0 });
});
afterAll(() => site[Symbol.asyncDispose]());

const target = (isBlank = false) => {
  const file = path.join(site.folder, 'target.img');
  if (isBlank) makeBlankDisk(file);
  else run('cp', site.diskFile, file);
  writeAt(file, noise('something', 1_000_000), 5_000_000);
  return { file, before: sha256OfFile(file) };
};

const controllerFacts = controllerFactsOf(station);

test('another board: exit code 12', async () => {
  const { file, before } = target();
  const board = { ...healthy.board, product: 'ANOTHER BOARD' };
  const sitting = site.recover(site.machineOf(file, { board }));
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('(exit code 12)');
  await sitting.port.waitFor('Nothing was written to any disk.');
  expect(await leave(sitting)).toBe(12);
  expect(sha256OfFile(file)).toBe(before);
  expect((await site.latestReport()).machine).toMatchObject({
    outcome: 'refused',
    exitCode: 12,
    differences: [{ field: 'board product', severity: 'fatal', found: 'ANOTHER BOARD' }],
  });
});

test('a disk that is too small: exit code 13, with the exact shortfall', async () => {
  const { file } = target();
  truncateSync(file, demoDisk.sizeBytes / 2);
  const disk = { ...stationDisk, sizeBytes: demoDisk.sizeBytes / 2 };
  const sitting = site.recover(site.machineOf(file, { disks: [disk] }));
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('(exit code 13)');
  expect(sitting.port.written()).toContain('too small by');
  expect(await leave(sitting)).toBe(13);
  expect((await site.latestReport()).machine).toMatchObject({ outcome: 'refused', exitCode: 13, disks: [] });
});

test('a dry run shows the plan and stops', async () => {
  const { file, before } = target();
  const sitting = site.recover(site.machineOf(file), true);
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('# will be overwritten');
  await sitting.port.waitFor('Dry run: nothing was written');
  expect(await leave(sitting)).toBe(0);
  expect(sha256OfFile(file)).toBe(before);
});

test('Ctrl-C at the confirmation: exit code 130', async () => {
  const { file, before } = target();
  const sitting = site.recover(site.machineOf(file));
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('to start the restore: ');
  sitting.port.type('yes\r');
  await sitting.port.waitFor(`"yes" is not ${station}.`);
  await sitting.port.waitFor('to start the restore: ');
  sitting.port.type('\x03');
  await sitting.port.waitFor('(exit code 130)');
  expect(await leave(sitting)).toBe(130);
  expect(sha256OfFile(file)).toBe(before);
  expect((await site.latestReport()).machine.outcome).toBe('aborted');
});

test('a missing chunk is found before the first write: exit code 14', async () => {
  const { file, before } = target(true);
  const chunks = path.join(site.service.context.store, 'chunks.castr');
  const files = readdirSync(chunks, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(chunks, name))
    .filter((name) => statSync(name).isFile());
  const lost = files[Math.floor(files.length / 2)] ?? '';
  const bytes = readFileSync(lost);
  rmSync(lost);
  // A new disk needs every chunk, those of the data volume too.
  const disk = { ...stationDisk, serial: 'SSD-NEW', wwn: 'naa.50000000000000ff' };
  const sitting = site.recover(site.machineOf(file, { disks: [disk] }));
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('(exit code 14)');
  expect(sitting.port.written()).toContain(path.basename(lost, '.cacnk'));
  expect(await leave(sitting)).toBe(14);
  expect(sha256OfFile(file)).toBe(before);
  writeFileSync(lost, bytes);
});

test("a manifest signed with another site's key: exit code 14", async () => {
  const { file, before } = target();
  const other = await startApiService();
  const machine = fileMachine({
    site: { ca: site.service.ca, imageSigner: other.imageSigner },
    passport: healthy,
    disks: [{ passportDisk: stationDisk, devicePath: file }],
  });
  const sitting = site.recover(machine);
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('(exit code 14)');
  expect(sitting.port.written()).toContain('made with another key');
  await leave(sitting);
  expect(sha256OfFile(file)).toBe(before);
  await other.close();
});

test('the image of a domain controller that is registered as a client: exit code 14, whatever its hooks', async () => {
  const { file, before } = target();
  const { store, signingKey } = site.service.context;
  await captureImageOf(store, [{ path: site.diskFile, passportDisk: stationDisk }], {
    ...{ signingKey, stationRole: 'client', passport: healthy },
    readWindows: async () => controllerFacts,
  });
  const sitting = site.recover(site.machineOf(file));
  await logOn(sitting);
  await chooseNewest(sitting);
  await sitting.port.waitFor('(exit code 14)');
  await sitting.port.waitFor('Nothing was written to any disk.');
  expect(sitting.port.written().replace(/\s+/g, ' ')).toContain(
    `rekindle station set ${station} --role domain-controller`,
  );
  expect(await leave(sitting)).toBe(14);
  expect(sha256OfFile(file)).toBe(before);
});

test('wrong passwords are counted down, then the log-on is locked for a while', async () => {
  const { file } = target();
  const sitting = site.recover(site.machineOf(file));
  let locked = false;
  for (let tried = 0; tried < 10 && !locked; tried += 1) {
    await sitting.port.waitFor('Technician: ');
    sitting.port.type('nobody\r');
    await sitting.port.waitFor('Password: ');
    sitting.port.type('wrong password\r');
    await sitting.port.waitFor('again');
    locked = sitting.port.written().includes('too many wrong passwords');
  }
  expect(locked).toBe(true);
  expect(sitting.port.written()).toContain('tries are left');
  expect(sitting.port.written()).not.toContain('wrong password\r');
  await sitting.port.waitFor('Technician: ');
  sitting.port.type('\x03');
  expect(await leave(sitting)).toBe(130);
});
