import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { formatPublicKey, generateKeyPair } from '#images/format/minisign.ts';
import { parseConfiguration } from '#pxe-server/config/parse-configuration.ts';
import { checkTools } from '#pxe-server/doctor/check-computer.ts';
import { checkHookPlans } from '#pxe-server/doctor/check-hook-plans.ts';
import { checkSystemStates } from '#pxe-server/doctor/check-system-states.ts';
import { examineSite } from '#pxe-server/doctor/examine-site.ts';
import { type SitePaths, sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addStation, setRole } from '#pxe-server/stations/station-registry.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { writeSystemState } from '#test/support/system-state-in-store.ts';

let paths: SitePaths;
beforeEach(() => {
  paths = sitePaths(mkdtempSync(join(tmpdir(), 'rekindle-doctor-')));
  mkdirSync(join(paths.hooks, 'bin'), { recursive: true });
});
afterEach(() => rmSync(paths.folder, { recursive: true, force: true }));

const member = { name: stationNameSchema.parse('OS-SRV-1A'), role: 'server' } as const;
const controller = { name: stationNameSchema.parse('DC1'), role: 'domain-controller' } as const;
const directory =
  'directory: { domain: lab.example, controllers: [dc1.lab.example], ca: ca.pem, account: svc, passwordFile: svc.password }';
const rejoin = `hooks:\n  - { id: rejoin, kind: domain-rejoin, method: offline-join, ${directory} }\n`;
const writePlan = (station: string, text: string) =>
  writeFileSync(join(paths.hooks, `${station}.yaml`), text);
const findingsOf = async (...stations: Parameters<typeof checkHookPlans>[1]) =>
  (await checkHookPlans(paths, stations)).findings;

function writeDomainFiles() {
  writeFileSync(join(paths.folder, 'ca.pem'), 'a certificate\n');
  writeFileSync(join(paths.folder, 'svc.password'), 'a secret\n', { mode: 0o600 });
}

test('a site whose share cannot be used or mounted is told so before serve refuses to start', async () => {
  const parsed = parseConfiguration(
    'interface: no-such-card\naddress: 10.77.0.1\nshare: { smb: //localhost/images, user: recovery, passwordFile: share.password }\n',
  );
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  const state = openState(':memory:');
  addStation(state, { name: controller.name, passport: somePassport(), by: 'test' });
  setRole(state, controller.name, controller.role);
  const findings = await examineSite({ paths, configuration: parsed.configuration, state });
  const problems = findings.filter(({ verdict }) => verdict === 'problem');
  const sentences = problems.map(({ sentence }) => sentence).join('\n');
  expect(sentences).toContain(
    `the password of the share: ${join(paths.folder, 'share.password')} cannot be read`,
  );
  expect(sentences).toContain('was not built to mount SMB shares');
  // Its plan would be refused in front of the station.
  expect(problems.filter(({ check }) => check === 'hook plans')).toMatchObject([
    { sentence: expect.stringContaining('The hook plan of DC1 has errors:') },
  ]);
});

test('a plan with errors, or none where a domain controller needs one, is named with file and line', async () => {
  writePlan(member.name, 'hooks:\n  - { id: a, kind: site, titel: X, executable: a.sh }\n');
  const [ofMember, ofController, ...rest] = await findingsOf(member, controller);
  expect(rest).toEqual([]);
  expect(ofMember).toMatchObject({ check: 'hook plans', verdict: 'problem' });
  expect(ofMember?.sentence).toContain(`${join(paths.hooks, 'OS-SRV-1A.yaml')}:2: `);
  expect(ofMember?.next).toContain('rekindle hook show OS-SRV-1A');
  expect(ofController?.next).toContain('docs/domain.md');
  expect(ofController?.sentence).toContain(
    `${join(paths.hooks, 'DC1.yaml')}:1: hooks: this station is a domain`,
  );
});

test('a plan whose files are missing is a problem, and one that can be carried out is well', async () => {
  const file = join(paths.hooks, 'bin', 'dongle.sh');
  const plan =
    'hooks:\n  - { id: dongle, kind: site, title: Dongle, executable: dongle.sh, phases: [preflight] }\n';
  writePlan(member.name, plan);
  expect(await findingsOf(member)).toMatchObject([
    {
      verdict: 'problem',
      sentence: `The hook dongle of OS-SRV-1A cannot run: ${file} is not there or not executable.`,
    },
  ]);
  writeFileSync(file, '#!/bin/sh\n');
  chmodSync(file, 0o644);
  expect(await findingsOf(member)).toMatchObject([{ verdict: 'problem' }]);
  chmodSync(file, 0o755);
  expect(await findingsOf(member)).toMatchObject([{ verdict: 'ok' }]);

  writePlan(member.name, rejoin);
  expect((await findingsOf(member))[0]?.sentence).toContain('ca.pem cannot be read.');
  writeDomainFiles();
  expect(await findingsOf(member)).toMatchObject([{ verdict: 'ok' }]);
  chmodSync(join(paths.folder, 'svc.password'), 0o644);
  expect(await findingsOf(member)).toMatchObject([
    { next: `chmod 600 ${join(paths.folder, 'svc.password')}` },
  ]);
  // A site without hooks hears nothing of them.
  writePlan(member.name, '');
  expect(await findingsOf(member)).toEqual([]);
});

test('the programs of Samba are asked for when a plan needs them, and only then', async () => {
  const missing = async (...stations: Parameters<typeof checkHookPlans>[1]) => {
    const { wanted } = await checkHookPlans(paths, stations);
    return checkTools(wanted, '/nowhere')
      .filter(({ sentence }) => /program (net|rpcclient) /.test(sentence))
      .map(({ verdict, next }) => `${verdict}: ${next}`);
  };
  writeDomainFiles();
  expect(await missing(member)).toEqual([]);
  writePlan(member.name, rejoin);
  expect(await missing(member)).toEqual(['problem: apt-get install samba-common-bin']);
  writePlan(member.name, rejoin.replace('offline-join', 'reset-account'));
  expect(await missing(member)).toEqual([]);
  writePlan(
    controller.name,
    `hooks:\n  - { id: dc, kind: domain-controller, systemState: { from: only-controller-of-forest }, ${directory} }\n`,
  );
  expect(await missing(controller)).toEqual(['warning: apt-get install smbclient']);
});

test('the system state that a plan restores a domain controller from is looked for, and its age is said', async () => {
  writeDomainFiles();
  const from = (version: string) => `{ from: backup-in-store, version: ${version}, drive: 'D:' }`;
  const plan = (version: string) =>
    writePlan(
      controller.name,
      `hooks:\n  - { id: dc, kind: domain-controller, systemState: ${from(version)}, ${directory} }\n`,
    );
  const key = generateKeyPair();
  writeFileSync(paths.imageSigningPublicKey, formatPublicKey(key));
  const store = join(paths.folder, 'images');
  const statesOf = async (day: string) => {
    const { wantedStates } = await checkHookPlans(paths, [member, controller]);
    return checkSystemStates(paths, store, wantedStates, Date.parse(`${day}T03:00:00Z`));
  };
  writePlan(member.name, '');
  plan('latest');
  expect(await statesOf('2026-11-20')).toMatchObject([
    {
      verdict: 'problem',
      sentence: expect.stringContaining('there is none that can be used'),
      next: expect.stringContaining('rekindle system-state add DC1 FOLDER'),
    },
  ]);
  const { folder } = writeSystemState(store, key, { station: 'DC1', utc: '20261120T020000Z' });
  const wellThen = {
    verdict: 'ok',
    sentence: expect.stringContaining('DC1@20261120T020000Z, is 60 days old.'),
  };
  expect(await statesOf('2027-01-19')).toMatchObject([wellThen]);
  expect(await statesOf('2026-11-21')).toMatchObject([
    { sentence: expect.stringMatching(/ is 1 day old\.$/) },
  ]);
  expect(await statesOf('2027-01-20')).toMatchObject([
    { verdict: 'warning', sentence: expect.stringContaining('is 61 days old; ') },
  ]);
  plan('11/21/2026-02:00');
  expect(await statesOf('2026-11-22')).toMatchObject([{ verdict: 'problem' }]);
  plan('11/20/2026-02:00');
  rmSync(join(folder, 'WindowsImageBackup/DC1/MediaId'));
  expect(await statesOf('2026-11-22')).toMatchObject([
    { verdict: 'problem', sentence: expect.stringContaining('is not whole: MediaId is not there.') },
  ]);
  writeFileSync(paths.imageSigningPublicKey, formatPublicKey(generateKeyPair()));
  expect(await statesOf('2026-11-22')).toMatchObject([
    { verdict: 'problem', sentence: expect.stringContaining('it was made with another key') },
  ]);
  // The whole examination says so too.
  const parsed = parseConfiguration('interface: no-such-card\n');
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  const state = openState(':memory:');
  addStation(state, { name: 'DC1', passport: somePassport(), role: 'domain-controller', by: 'test' });
  const all = await examineSite({ paths, configuration: parsed.configuration, state });
  expect(all.filter(({ check }) => check === 'system states')).toHaveLength(1);
});
