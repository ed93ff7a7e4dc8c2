import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { formatSystemdUnit } from '#pxe-server/site/systemd-unit.ts';
import { createNetwork } from '#test/support/network-namespace.ts';
import { startSystemd } from '#test/support/systemd-container.ts';

const checkout = realpathSync(join(import.meta.dirname, '..', '..'));
const inside = { folder: '/opt/rekindle', site: '/var/lib/rekindle', store: '/var/lib/rekindle/images' };

test('the unit runs under systemd: as its user, started again when killed, reloaded, stopped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-systemd-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  await using lan = await createNetwork({
    server: { address: '10.77.0.1/24' },
    station: { address: '10.77.0.20/24' },
  });
  const { server, station } = lan.members;
  const site = join(folder, 'site');
  writeFileSync(join(folder, 'password'), 'correct horse battery\n');
  const rekindle = join(checkout, 'scripts', 'rekindle.ts');
  const init = ['init', '--interface', 'eth0', '--password-file', join(folder, 'password'), '--site', site];
  expect(await server.run(process.execPath, [rekindle, ...init], { seconds: 60 })).toMatchObject({ code: 0 });
  const paths = sitePaths(site);
  for (const file of [paths.kernel, paths.runtimeImage, join(paths.packs, 'universal.img')]) {
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, 'not booted here');
  }
  const node = realpathSync(process.execPath).replace(checkout, inside.folder);
  writeFileSync(
    join(folder, 'rekindle.service'),
    await formatSystemdUnit({ ...inside, node }, join(checkout, 'scripts/systemd/rekindle.service')),
  );

  await using container = await startSystemd({
    member: server,
    folders: { [inside.folder]: checkout },
    unit: 'rekindle.service',
    prepare: `cp ${folder}/rekindle.service etc/systemd/system/
      useradd --root "$PWD" --system --home-dir /nonexistent --shell /usr/sbin/nologin rekindle
      cp -a ${site} .${inside.site}; chroot . chown -R rekindle: ${inside.site}`,
  });
  const show = async (property: string) =>
    (await container.run('systemctl', 'show', '--value', `--property=${property}`, 'rekindle')).stdout.trim();
  const isWell = async () =>
    (await station.run('curl', ['-sS', '-m', '2', 'http://10.77.0.1:8080/healthz'])).stdout;
  await expect.poll(isWell, { timeout: 60_000, interval: 500, message: container.said() }).toBe('ok\n');
  const main = await show('MainPID');
  const status = (await container.run('cat', `/proc/${main}/status`)).stdout;
  expect(status).toMatch(/^CapEff:\t0000000000002400$/m);
  expect(status).not.toMatch(/^Uid:\t0/m);
  const loader = ['-sS', '-m', '10', '-o', join(folder, 'loader'), 'tftp://10.77.0.1/snponly.efi'];
  expect(await station.run('curl', loader, { seconds: 15 })).toMatchObject({ code: 0 });

  await container.run('systemctl', 'reload', 'rekindle');
  expect(await isWell()).toBe('ok\n');
  expect(await show('MainPID')).toBe(main);
  await container.run('kill', '-KILL', main);
  await expect.poll(() => show('MainPID'), { timeout: 20_000 }).not.toMatch(`^(0|${main})$`);
  await expect.poll(isWell, { timeout: 60_000, interval: 500 }).toBe('ok\n');
  expect(await show('NRestarts')).toBe('1');

  const security = await container.run('systemd-analyze', 'security', '--no-pager', 'rekindle.service');
  const exposure = Number(/exposure level for rekindle.service: ([\d.]+)/.exec(security.stdout)?.[1]);
  process.stdout.write(`systemd-analyze security: ${exposure}\n`);
  expect(exposure).toBeLessThan(4);
  await container.run('systemctl', 'stop', 'rekindle');
  expect(await show('Result')).toBe('success');
  expect(await show('ExecMainStatus')).toBe('0');
});

test('systemd finds nothing to say about the unit; a path that cannot stand in it is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rekindle-unit-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const site = join(folder, 'site');
  const unit = join(folder, 'rekindle.service');
  writeFileSync(
    unit,
    await formatSystemdUnit({
      folder: checkout,
      node: process.execPath,
      site,
      store: join(site, 'images'),
    }),
  );
  const verified = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  expect(verified).toMatchObject({ status: 0, stderr: '' });
  expect(readFileSync(unit, 'utf8')).not.toMatch(/@(?!system-service)\w+@?/);
  await expect(formatSystemdUnit({ folder: checkout, node: '/a b', site, store: site })).rejects.toThrow(
    'cannot stand in it',
  );
});
