import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkOwners } from '#pxe-server/doctor/check-owners.ts';
import { checkCertificates, checkRuntime } from '#pxe-server/doctor/check-site.ts';
import { checkReadiness } from '#pxe-server/serve/check-readiness.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { formatSystemdUnit } from '#pxe-server/site/systemd-unit.ts';
import { makeCliSite } from '#test/support/cli-site.ts';
import { makeServedRuntime } from '#test/support/served-site.ts';

let folder: string;
let site: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-broken-'));
  site = await makeCliSite(folder);
  makeServedRuntime(site, 1000);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('records of the runtime that cannot be read are mended by building it again', async () => {
  const paths = sitePaths(site);
  expect(await checkRuntime(paths, [])).toMatchObject([{ verdict: 'ok' }]);
  writeFileSync(paths.kernelRecord, '{');
  writeFileSync(paths.shareRecord, '{');
  expect(await checkRuntime(paths, [])).toMatchObject([
    { verdict: 'problem', next: 'Build it again: rekindle runtime build' },
  ]);
  const nfs = { nfs: 'files.example:/images', seal: true } as const;
  const { problems } = await checkReadiness(paths, openState(paths.state), site, nfs);
  expect(problems.map(({ problem }) => problem)).toContain(
    'The recovery runtime was not built to mount NFS shares.',
  );
});

test('certificates are told by day, before they end and when they are damaged', async () => {
  const paths = sitePaths(site);
  const verdicts = async (now: Date) =>
    (await checkCertificates(paths, Number(now))).map((each) => each.verdict);
  expect(await verdicts(new Date('2026-11-28'))).toEqual(['ok', 'ok']);
  expect(await verdicts(new Date('2099-11-28'))).toEqual(['warning', 'warning']);
  expect(await verdicts(new Date('2100-01-02'))).toEqual(['problem', 'problem']);
  const [soon] = await checkCertificates(paths, Date.UTC(2099, 10, 28));
  expect(soon?.sentence).toBe('The certificate of the site CA ends soon, on 2099-12-31.');
  writeFileSync(paths.serverCertificate, 'damaged');
  const [damaged] = await checkCertificates(paths);
  expect(damaged?.sentence).toMatch(/server\.crt is no certificate that can be read\.$/);
  expect(damaged?.next).toContain('rekindle init');
});

test('a key of another owner is not called missing', () => {
  const closed = join(folder, 'closed');
  cpSync(site, closed, { recursive: true });
  for (const each of [folder, site, join(site, 'keys'), closed]) chmodSync(each, 0o755);
  chmodSync(join(closed, 'keys'), 0o700);
  const program = `
    import { checkReadiness } from '#pxe-server/serve/check-readiness.ts';
    import { sitePaths } from '#pxe-server/site/site-paths.ts';
    import { openState } from '#pxe-server/site/state.ts';
import { formatSystemdUnit } from '#pxe-server/site/systemd-unit.ts';
    for (const folder of ${JSON.stringify([site, closed])}) {
      const { problems } = await checkReadiness(sitePaths(folder), openState(':memory:'), '/');
      console.log(problems.map(({ problem }) => problem).join('\\n'));
    }`;
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const said = execFileSync(
    'setpriv',
    [...nobody, process.execPath, '--input-type=module-typescript', '-e', program],
    { encoding: 'utf8' },
  );
  for (const each of [site, closed])
    expect(said).toContain(`The key ${sitePaths(each).serverKey} may not be read by this user.`);
  expect(said).not.toContain('is missing');
});

test('files that a service of another user may not read are found by root too', async () => {
  const paths = sitePaths(site);
  expect(await checkOwners(paths)).toEqual([]);
  execFileSync('chown', ['-R', '65534:65534', site]);
  expect(await checkOwners(paths)).toEqual([]);
  chownSync(paths.serverKey, 0, 0);
  const [found, ...rest] = await checkOwners(paths);
  expect(rest).toEqual([]);
  expect(found?.sentence).toContain(paths.serverKey);
  execFileSync('sh', ['-c', found?.next ?? 'false']);
  expect(await checkOwners(paths)).toEqual([]);
  chownSync(site, 0, 0);
  expect(await checkOwners(paths)).toEqual([]);
});

test('where a systemd unit is installed its user counts, not the owner of the site folder', async () => {
  const paths = sitePaths(site);
  const unitFile = join(folder, 'rekindle.service');
  const places = { folder: process.cwd(), node: process.execPath, site, store: site };
  const unit = await formatSystemdUnit(places);
  const found = async (text: string) => {
    writeFileSync(unitFile, text);
    return checkOwners(paths, unitFile);
  };
  const ofNobody = unit.replace('User=rekindle', 'User=nobody');
  // `init --systemd` by root, and what it printed was not done.
  const [forgotten, ...rest] = await found(ofNobody);
  expect(rest).toEqual([]);
  expect(forgotten?.sentence).toContain(`${site} is not of the user nobody`);
  expect(await found(unit.replace('User=rekindle', 'User=nobody-knows'))).toMatchObject([
    { sentence: expect.stringContaining('nobody-knows, who does not exist'), verdict: 'problem' },
  ]);
  expect(await found(unit.replace('User=rekindle', 'User=root'))).toEqual([]);
  expect(await found(ofNobody.replace(`--site ${site}`, '--site /srv/another'))).toEqual([]);
  execFileSync('sh', ['-c', forgotten?.next ?? 'false']);
  expect(await found(ofNobody)).toEqual([]);
  chownSync(paths.serverKey, 0, 0);
  expect(await found(ofNobody)).toHaveLength(1);
});

test('a state on a full disk is told from one of another owner', async () => {
  const small = join(folder, 'small');
  await mkdir(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
  try {
    const file = join(small, 'state.sqlite');
    openState(file, { create: true }).close();
    expect(() =>
      execFileSync('dd', ['if=/dev/zero', `of=${join(small, 'fill')}`], { stdio: 'ignore' }),
    ).toThrow();
    expect(() => openState(file)).toThrow(
      expect.objectContaining({ next: expect.stringContaining('file system is full') }),
    );
    // The disk is as full, and that is not what is wrong.
    const damaged = join(small, 'damaged.sqlite');
    symlinkSync(join(folder, 'no-database'), damaged);
    writeFileSync(join(folder, 'no-database'), 'no database');
    expect(() => openState(damaged)).toThrow(
      expect.objectContaining({ next: expect.stringContaining('owner') }),
    );
    rmSync(join(small, 'fill'));
    openState(file).close();
  } finally {
    execFileSync('umount', [small]);
  }
});
