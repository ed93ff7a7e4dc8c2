import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parseGuidText } from '#images/format/partition-table/guid.ts';
import { createSite } from '#pxe-server/site/create-site.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation, setTerminalBus } from '#pxe-server/stations/station-registry.ts';
import { efivarsFolder } from '#runtime/firmware/efivars.ts';
import { ownBootEntries } from '#scripts/commands/image/own-boot-entries.ts';
import { somePassportDisk } from '#test/support/capture-image-of.ts';
import {
  MiB,
  makeBlankDisk,
  makeDemoDisk,
  makeTemporaryFolder,
  noise,
  run,
  writeAt,
} from '#test/support/restore-demo-disk.ts';
import { somePassport } from '#test/support/some-passport.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
let site: string;
let disk: string;
const images = (): string => path.join(site, 'images/images');

beforeAll(async () => {
  folder = makeTemporaryFolder();
  disk = makeDemoDisk(folder.path);
  site = path.join(folder.path, 'site');
  const paths = sitePaths(site);
  await createSite(paths, { interface: 'lo', dhcp: { mode: 'proxy' } });
  const state = openState(paths.state, { create: true });
  const passport = { ...somePassport(), disks: [somePassportDisk(fs.statSync(disk).size)] };
  addStation(state, { name: 'OS-SRV-1A', passport, computerName: 'OSSRV1A', role: 'server', by: 'test' });
  setTerminalBus(state, 'OS-SRV-1A', true);
  state.close();
});
afterAll(() => folder[Symbol.dispose]());

function start(
  ...args: string[]
): ChildProcess & { said: Promise<{ status: number; out: string; err: string }> } {
  const child = spawn(process.execPath, ['scripts/rekindle.ts', 'image', 'capture', '--site', site, ...args]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const parts = { out: '', err: '' };
  child.stdout.on('data', (part) => {
    parts.out += part;
  });
  child.stderr.on('data', (part) => {
    parts.err += part;
  });
  const said = once(child, 'close').then(([status]) => ({ status: Number(status), ...parts }));
  return Object.assign(child, { said });
}
const capture = (...args: string[]) => start(...args).said;

/** EFI_LOAD_OPTION "own" on the partition of this GUID, by hand after UEFI 2.10, 3.1.3 and 10.3.5.1. */
const startingFrom = (guid: string): Buffer =>
  Buffer.concat([
    Buffer.from('010000002e006f0077006e000000' + '04012a0001000000', 'hex'),
    Buffer.alloc(16),
    parseGuidText(guid),
    Buffer.from('02027fff0400', 'hex'),
  ]);

/** Files as efivarfs shows them: four bytes of attributes, then the value. */
function makeVariables(values: Readonly<Record<string, Buffer>>): string {
  const variables = path.join(folder.path, 'efivars');
  fs.mkdirSync(variables);
  for (const [name, value] of Object.entries(values)) {
    const file = path.join(variables, `${name}-8be4df61-93ca-11d2-aa0d-00e098032b8c`);
    fs.writeFileSync(file, Buffer.concat([Buffer.from('07000000', 'hex'), value]));
  }
  return variables;
}

describe('rekindle image capture', () => {
  test('a registered station: named, counted, limited as the registry says', async () => {
    const { status, out, err } = await capture(
      '--station',
      'OS-SRV-1A',
      '--disk',
      disk,
      '--limit-rate',
      '1G',
      '--json',
    );
    expect(err).toBe('');
    expect(status).toBe(0);
    const said = JSON.parse(out) as Record<string, never>;
    expect(said).toMatchObject({
      ref: expect.stringMatching(/^OS-SRV-1A@\d{8}T\d{6}Z$/),
      sequence: 1,
      change: { newChunks: expect.any(Number), share: expect.any(Number) },
      verified: { readAgain: expect.any(Number) },
      warnings: [],
    });
    const listed = run(
      process.execPath,
      'scripts/rekindle.ts',
      'image',
      'show',
      said['ref'] ?? '',
      '--site',
      site,
    );
    expect(JSON.parse(listed)).toMatchObject({
      station: 'OS-SRV-1A',
      computerName: 'OSSRV1A',
      stationRole: 'server',
    });
  });

  test('on the station itself: its boot entries and their order are part of the image', async () => {
    const { partitions } = JSON.parse(run('sfdisk', '--json', disk)).partitiontable as {
      partitions: { uuid: string }[];
    };
    const own = startingFrom(partitions[1]?.uuid ?? '');
    // "net": what firmware makes by itself.
    const net = Buffer.from(
      '010000001000' + '6e0065007400' + '0000' + '02010c00d041030a00000000' + '7fff0400',
      'hex',
    );
    const variables = makeVariables({
      Boot0003: own,
      Boot0001: net,
      BootOrder: Buffer.from('03000100', 'hex'),
    });
    // This machine's firmware may have none, or others: another folder in their place, for the command alone.
    const shown = `mount -t tmpfs none /sys/firmware; mkdir -p ${efivarsFolder}; cp ${variables}/* ${efivarsFolder}`;
    const command = ['scripts/rekindle.ts', 'image', 'capture', '--site', site, '--station', 'OS-SRV-1A'];
    const args = [process.execPath, ...command, '--disk', disk, '--limit-rate', '1G', '--json'];
    const out = run('unshare', '--mount', 'sh', '-ec', `${shown}; exec "$@"`, 'sh', ...args);
    const name = String(JSON.parse(out).ref).replace('@', '_');
    const manifest = JSON.parse(
      fs.readFileSync(path.join(images(), 'OS-SRV-1A', name, 'manifest.json'), 'utf8'),
    );
    expect(manifest.firmware).toEqual({
      kind: 'uefi',
      bootEntries: [
        { number: '0001', label: 'net', loadOption: net.toString('base64') },
        { number: '0003', label: 'own', loadOption: own.toString('base64') },
      ],
      bootOrder: ['0003', '0001'],
    });
    // A disk that only lies in this machine, a station with BIOS.
    const none = { entries: [], order: [] };
    const foreign = makeBlankDisk(path.join(folder.path, 'foreign.img'), 5 * MiB);
    run('sgdisk', '--new=1:0:0', foreign);
    expect(await ownBootEntries([foreign], 'uefi', variables)).toEqual(none);
    expect(await ownBootEntries([disk], 'bios', variables)).toEqual(none);
    expect((await ownBootEntries([foreign, disk], 'uefi', variables)).order).toEqual(['0003', '0001']);
  });

  test('stopped by Ctrl-C: exit code 130, no image; the second run reuses what is stored', async () => {
    const changed = path.join(folder.path, 'changed.img');
    fs.copyFileSync(disk, changed);
    writeAt(changed, noise('much that is new', 24 * MiB), 4 * MiB);
    const before = fs.readdirSync(path.join(images(), 'OS-SRV-1A')).length;
    const chunks = path.join(site, 'images/chunks.castr');
    const stored = fs.readdirSync(chunks).length;
    // The limit of the terminal bus: half a minute for this disk.
    const child = start('--station', 'OS-SRV-1A', '--disk', changed);
    while (fs.readdirSync(chunks).length < stored + 3)
      await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGINT');
    const { status, err } = await child.said;
    expect(status).toBe(130);
    expect(err).toContain('what is stored is reused');
    expect(fs.readdirSync(path.join(images(), 'OS-SRV-1A'))).toHaveLength(before);
    expect(fs.existsSync(path.join(site, 'images/captures/.turn'))).toBe(false);

    const again = await capture('--station', 'OS-SRV-1A', '--disk', changed, '--limit-rate', '1G', '--json');
    const { change } = JSON.parse(again.out) as { change: { newChunks: number } };
    expect(change.newChunks).toBeGreaterThan(0);
    expect(change.newChunks).toBeLessThanOrEqual(24 - 3);
  });

  test.each([
    ['neither registered nor with a passport', ['--station', 'NEW-1'], 11, 'no passport was given'],
    ['no station name', ['--station', '../etc'], 2, 'is no station'],
    ['no rate', ['--station', 'OS-SRV-1A', '--limit-rate', 'fast'], 2, 'Write a rate'],
    ['no store', ['--station', 'OS-SRV-1A', '--store', '/nowhere/images'], 10, 'there is no such folder'],
  ])('%s: refused', async (_, args, code, why) => {
    const { status, err } = await capture('--disk', disk, ...args);
    expect(err).toContain(why);
    expect(status).toBe(code);
  });

  test('a disk of another size than the station has: refused, and how to name one is said', async () => {
    const other = makeBlankDisk(path.join(folder.path, 'other.img'), 5 * MiB);
    const { status, err } = await capture('--station', 'OS-SRV-1A', '--disk', other);
    expect(err).toContain('the size of no disk of the passport');
    expect(err).toContain(`--disk ${other},SERIAL`);
    expect(status).toBe(13);
  });

  test('a disk that is not there: exit code 11', async () => {
    expect((await capture('--station', 'OS-SRV-1A', '--disk', '/dev/nothing')).status).toBe(11);
  });
});
