import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { generateKeyPair } from '#images/format/minisign.ts';
import { openJob } from '#pxe-server/jobs/job-store.ts';
import { addStation, setRole } from '#pxe-server/stations/station-registry.ts';
import { computerNameOf } from '#scripts/commands/system-state/computer-name.ts';
import { startPlainWebServer } from '#test/support/every-store.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { someBackup, writeFiles, writeSystemState } from '#test/support/system-state-in-store.ts';
import { makeUpkeepSite, type UpkeepSite } from '#test/support/upkeep-site.ts';

/** `rekindle system-state`, as it is typed. */

const utc = '20261120T020000Z';
let upkeep: UpkeepSite;
let share: string;
beforeEach(async () => {
  upkeep = await makeUpkeepSite();
  share = path.join(upkeep.folder, 'wsb');
  addStation(upkeep.state, { name: 'DC1', passport: somePassport(), role: 'domain-controller', by: 'test' });
});
afterEach(() => upkeep[Symbol.dispose]());

const json = ({ stdout }: { stdout: string }) => JSON.parse(stdout);
const backUp = (time = utc): void => writeFiles(path.join(share, 'WindowsImageBackup/DC1'), someBackup(time));
const add = (...more: string[]) => upkeep.rekindle('system-state', 'add', 'DC1', share, ...more);
const inStore = () => fs.readdirSync(path.join(upkeep.store, 'system-states/DC1')).sort();

test("add: knows the computer by the station's image, signs for minisign too, leaves the backup alone", async () => {
  backUp();
  const untold = computerNameOf(upkeep.store, stationNameSchema.parse('DC1'), upkeep.key, undefined);
  await expect(untold).rejects.toThrow("no image that says its computer's name");
  await upkeep.write('DC1', 1, [1]);
  const other = await add('--computer', 'DC2');
  expect(other.status).toBe(2);
  expect(other.stderr).toContain('in DC1@20261101T020000Z the computer is DC1');

  const before = execFileSync('find', [share, '-printf', '%p %s %T@ %m\n']).toString();
  const done = await add();
  expect(done.status, done.stderr).toBe(0);
  expect(done.stdout).toContain(`System state DC1@${utc} is in the store: 8 files, `);
  expect(done.stdout).toContain('signed and read back. wbadmin calls it 11/20/2026-02:00.');
  expect(execFileSync('find', [share, '-printf', '%p %s %T@ %m\n']).toString()).toBe(before);
  const manifest = path.join(upkeep.store, `system-states/DC1/DC1_${utc}/manifest.json`);
  const publicKey = path.join(upkeep.site, 'image-signing.pub');
  const checked = execFileSync('minisign', ['-V', '-p', publicKey, '-m', manifest]).toString();
  expect(checked).toContain(`Trusted comment: rekindle system state DC1@${utc}`);
});

test('add refuses a station that is no controller, a web server, and what does not fit', async () => {
  backUp();
  fs.truncateSync(path.join(share, 'WindowsImageBackup/DC1/Backup 2026-11-20 020000/b2b0.vhdx'), 2 ** 43);
  const large = await add('--computer', 'DC1');
  expect(large.status).toBe(10);
  expect(large.stderr).toMatch(/it has 8\.?\d* TiB, and .* are free there/);
  setRole(upkeep.state, 'DC1', 'client');
  const client = await add();
  expect(client.status).toBe(2);
  expect(client.stderr).toContain('rekindle station set DC1 --role domain-controller');
  expect((await add('--store', 'http://127.0.0.1:1')).stderr).toContain('system-state add works on a folder');
});

test('add --keep removes older ones, not the one that was added, and none while a restore is open', async () => {
  for (const time of ['20261118T020000Z', '20261119T020000Z', '20261121T020000Z'])
    writeSystemState(upkeep.store, upkeep.key, { station: 'DC1', utc: time });
  backUp();
  const job = openJob(upkeep.state, {
    kind: 'restore',
    station: 'DC1',
    imageName: 'DC1_20261101T020000Z',
    manifestSha256: null,
    how: 'technician',
    technician: 'erika',
    machine: 'test',
  });
  expect(json(await add('--computer', 'DC1', '--keep', '2', '--json'))).toMatchObject({
    ref: `DC1@${utc}`,
    computerName: 'DC1',
    files: 8,
    removed: [],
    kept: ['DC1@20261118T020000Z', 'DC1@20261119T020000Z'],
  });
  const refused = await upkeep.rekindle('system-state', 'remove', `DC1@${utc}`);
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain(`a restore of DC1 is open (job ${job})`);
  expect(inStore()).toHaveLength(4);
  upkeep.state.prepare('UPDATE jobs SET closed_at = 1 WHERE id = ?').run(job);
  expect((await upkeep.rekindle('system-state', 'remove', `DC1@${utc}`)).status).toBe(0);
  const done = await add('--computer', 'DC1', '--keep', '1', '--json');
  expect(json(done).removed).toEqual(['DC1@20261118T020000Z', 'DC1@20261119T020000Z']);
  // One that was older than what stays: somebody has added it on purpose.
  expect(inStore()).toEqual([`DC1_${utc}`, 'DC1_20261121T020000Z']);
});

test('add --keep: one whose manifest is not believed takes no place of the newest, and stays', async () => {
  for (const time of ['20261117T020000Z', '20261118T020000Z'])
    writeSystemState(upkeep.store, upkeep.key, { station: 'DC1', utc: time });
  writeSystemState(upkeep.store, generateKeyPair(), { station: 'DC1', utc: '20261119T020000Z' });
  backUp();
  const done = await add('--computer', 'DC1', '--keep', '2', '--json');
  expect(json(done).removed).toEqual(['DC1@20261117T020000Z']);
  expect(inStore()).toEqual(['DC1_20261118T020000Z', 'DC1_20261119T020000Z', `DC1_${utc}`]);

  // Another site's are not damaged by that: nobody is told to remove them.
  fs.rmSync(path.join(upkeep.store, 'system-states'), { recursive: true });
  expect((await upkeep.rekindle('system-state', 'list', 'DC1')).stdout).toBe(
    'DC1 has no system state. Next: rekindle system-state add DC1 FOLDER\n',
  );
  writeSystemState(upkeep.store, generateKeyPair(), { station: 'DC1', utc });
  for (const verb of ['list', 'verify']) {
    const foreign = await upkeep.rekindle('system-state', verb, 'DC1');
    expect(foreign.status).toBe(14);
    expect(foreign.stderr).toContain('it was made with another key\nNext: Check --site and --store');
  }
});

test('list and verify say what is there, from a folder and a web server; one changed byte is found', async () => {
  expect((await upkeep.rekindle('system-state', 'list')).stdout).toContain('There is no system state yet');
  const { folder } = writeSystemState(upkeep.store, upkeep.key, { station: 'DC1', utc });
  writeSystemState(upkeep.store, upkeep.key, { station: 'DC1', utc: '20261121T020000Z' });
  {
    await using web = await startPlainWebServer(upkeep.store);
    const whole = await upkeep.rekindle('system-state', 'verify', `DC1@${utc}`, '--store', web.url);
    expect(whole.stdout).toMatch(/DC1@20261120T020000Z +whole +8 files/);
  }
  const disk = path.join(folder, 'WindowsImageBackup/DC1/Backup 2026-11-20 020000/b2b0.vhdx');
  const bytes = fs.readFileSync(disk);
  bytes.writeUInt8(bytes.readUInt8(77) ^ 1, 77);
  fs.writeFileSync(disk, bytes);
  fs.rmSync(path.join(folder, 'WindowsImageBackup/DC1/MediaId'));
  const damaged = await upkeep.rekindle('system-state', 'verify', 'DC1');
  expect(damaged.status).toBe(14);
  expect(damaged.stdout).toMatch(/DC1@20261120T020000Z +DAMAGED/);
  expect(damaged.stdout).toMatch(/DC1@20261121T020000Z +whole/);
  expect(damaged.stderr).toContain('b2b0.vhdx of system state DC1@20261120T020000Z: it hashes to');
  expect(damaged.stderr).toContain('MediaId');

  fs.appendFileSync(path.join(folder, 'manifest.json'), ' ');
  const list = await upkeep.rekindle('system-state', 'list');
  expect(list.status).toBe(14);
  expect(list.stdout).toMatch(/^DC1@20261120T020000Z +DAMAGED$/m);
  expect(list.stdout).toMatch(/^DC1@20261121T020000Z +DC1 +\S+ KiB +11\/21\/2026-02:00$/m);
  expect(json(await upkeep.rekindle('system-state', 'verify', '--all', '--json'))).toMatchObject([
    { ref: `DC1@${utc}`, result: 'damaged', files: 0 },
    { ref: 'DC1@20261121T020000Z', result: 'whole', files: 8 },
  ]);
  expect((await upkeep.rekindle('system-state', 'verify', 'DC1@2026')).stderr).toContain(
    'is no system state',
  );
});
