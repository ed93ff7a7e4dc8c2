import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { runReportSchema } from '#contract/run-report.ts';
import { hashFile } from '#scripts/rehearsal/disk-proof.ts';
import { publicKeyFile, type RehearsalReport, reportFile } from '#scripts/rehearsal/rehearsal-report.ts';
import { rehearseDemo } from '#scripts/rehearsal/rehearse-demo.ts';
import { verifyWithMinisign } from '#test/support/run-reports.ts';

/** The whole way, as `rekindle rehearse --demo` goes it, and the evidence that it leaves behind. */

async function rehearse(firmware: 'bios' | 'uefi') {
  const evidence = await mkdtemp(path.join(tmpdir(), `recovery-${firmware}-`));
  onTestFinished(({ task }) =>
    // Consoles and screens of a rehearsal that failed are worth more than the space.
    task.result?.state === 'fail' ? undefined : rm(evidence, { recursive: true, force: true }),
  );
  const told = await rehearseDemo({
    firmware,
    stateDirectory: path.join(import.meta.dirname, '../../.rekindle'),
    evidence,
    // One of both runs: a domain costs time, and firmware makes no difference to it.
    withDomain: firmware === 'bios',
    onProgress: (line) => process.stdout.write(`${line}\n`),
  });
  expect(told).toMatchObject({ outcome: 'passed', reasons: [] });
  return evidence;
}

async function readSigned(evidence: string, file: string): Promise<unknown> {
  await verifyWithMinisign(path.join(evidence, file), path.join(evidence, publicKeyFile));
  return JSON.parse(await readFile(path.join(evidence, file), 'utf8'));
}

async function checkEvidence(evidence: string, firmware: 'bios' | 'uefi') {
  const report = (await readSigned(evidence, reportFile)) as RehearsalReport;
  expect(report).toMatchObject({ outcome: 'passed', station: 'OS-SRV-1A', standIn: true, firmware });
  expect(report.stages.length).toBeGreaterThanOrEqual(9);
  for (const stage of report.stages) {
    expect(stage.outcome).toBe('done');
    expect(stage.seconds).toBeGreaterThanOrEqual(0);
  }

  const [blank, damaged] = report.recoveries;
  expect(report.recoveries.map(({ what }) => what)).toEqual(['Blank disk', 'Damaged system partition']);
  for (const { times, steps } of report.recoveries) {
    expect(times.powerOnToRuntime).toBeGreaterThan(0);
    expect(times.powerOnToRestored).toBeGreaterThan(times.powerOnToRuntime);
    expect(times.powerOnToLogOn).toBeGreaterThan(times.powerOnToRestored);
    expect(steps.every(({ outcome, seconds }) => outcome !== 'failed' && seconds >= 0)).toBe(true);
    expect(steps.map(({ step }) => step)).toEqual(
      expect.arrayContaining(['start-runtime', 'check-identity', 'pre-flight', 'confirm', 'restore-disks']),
    );
  }
  expect(blank?.differences).toMatchObject([
    {
      severity: 'replaced-part',
      sentence: expect.stringMatching(/was replaced: .*LAB-D-0002.* instead of .*LAB-D-0001/),
    },
  ]);
  expect(damaged?.differences).toEqual([]);

  // Whole disk; then what lies before the first partition, ESP, SYSTEM (unless hooks work on it), PROJECTS as it was.
  const hashes = report.proofs.filter(({ found }) => /^[0-9a-f]{64}$/.test(found));
  expect(hashes).toHaveLength(firmware === 'bios' ? 4 : 5);
  for (const { expected, found } of report.proofs) expect(found).toBe(expected);

  expect(report.runReports).toHaveLength(3);
  const runs = await Promise.all(
    report.runReports.map(async ({ file, sha256 }) => {
      expect(await hashFile(path.join(evidence, file))).toBe(sha256);
      return runReportSchema.parse(await readSigned(evidence, file));
    }),
  );
  expect(runs.map(({ machine }) => machine.outcome)).toEqual(['captured', 'restored', 'restored']);
  const [, ofBlank, ofDamaged] = runs;
  expect(ofBlank?.machine.disks).toMatchObject([{ number: 0, serial: 'LAB-D-0002', kept: [] }]);
  expect(ofBlank?.machine.confirmed).toHaveLength(1);
  expect(ofDamaged?.machine.disks[0]?.kept).toMatchObject([{ what: expect.stringContaining('PROJECTS') }]);
  for (const run of [ofBlank, ofDamaged]) {
    expect(run?.manifestSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(run?.boot.length).toBeGreaterThan(3);
    expect(run?.machine.disks[0]?.bytes.verified).toBeGreaterThan(0);
  }
  return { ofBlank, ofDamaged, report };
}

const bootEntryStep = (run: Awaited<ReturnType<typeof checkEvidence>>['ofBlank']) =>
  run?.machine.steps.find(({ step }) => step === 'repair-boot-entries');

test('BIOS: a blank disk and a damaged system come back; the domain, whose trust went stale, takes the station again', async () => {
  const { ofBlank, ofDamaged, report } = await checkEvidence(await rehearse('bios'), 'bios');
  expect(bootEntryStep(ofBlank)).toMatchObject({ outcome: 'skipped' });
  expect(ofBlank).toMatchObject({ state: 'closed', hooks: [] });

  expect(ofDamaged?.state).toBe('closed');
  const [note, predicted] = ofDamaged?.hooks ?? [];
  expect(note).toMatchObject({ hook: 'note', phase: 'preflight', result: { outcome: 'done' } });
  expect(predicted).toMatchObject({
    ...{ hook: 'domain', phase: 'preflight' },
    plan: [{ kind: 'warning', sentence: expect.stringMatching(/will not trust the restored station/) }, {}],
    evidence: expect.arrayContaining([{ name: 'trust', value: 'broken' }]),
  });
  expect(ofDamaged?.machine.hooks).toMatchObject([
    { hook: 'note', phase: 'offline', result: { outcome: 'done' } },
    { hook: 'domain', phase: 'offline', result: { outcome: 'staged' } },
    { hook: 'order', phase: 'offline', result: { outcome: 'staged' } },
  ]);
  // Whichever is answered first: the domain is asked before it is believed.
  const firstBoot = ofDamaged?.hooks.slice(3).sort((a, b) => (a.hook < b.hook ? -1 : 1));
  expect(firstBoot).toMatchObject([
    {
      ...{ hook: 'domain', phase: 'first-boot' },
      result: { outcome: 'done', sentence: expect.stringMatching(/has logged on to its domain/) },
      evidence: expect.arrayContaining([
        { name: 'output', value: expect.stringMatching(/Successfully requested Offline Domain Join/) },
      ]),
    },
    {
      ...{ hook: 'order', phase: 'first-boot' },
      result: {
        outcome: 'done',
        sentence: expect.stringMatching(/^Network cards in the passport's order: \S+\.$/),
      },
      evidence: [{ name: 'output', value: expect.stringContaining('slot 0000:') }],
    },
  ]);
  const words = report.proofs.filter(({ found }) => !/^[0-9a-f]{64}$/.test(found));
  expect(words.map(({ found }) => found)).toEqual([
    'etc/issue.d, etc/rekindle, etc/systemd/system/multi-user.target.wants/rekindle-first-boot.service, etc/systemd/system/rekindle-first-boot.service',
    'not trusted, then trusted',
    'new password, new logon',
    '',
  ]);
  expect(report.recoveries[1]?.hooks).toHaveLength(8);
});

test('UEFI: the same, and a firmware that forgot its boot entry gets it back', async () => {
  const { ofBlank, ofDamaged } = await checkEvidence(await rehearse('uefi'), 'uefi');
  expect(bootEntryStep(ofBlank)).toMatchObject({
    outcome: 'done',
    sentence: expect.stringMatching(/written as Boot[0-9A-F]{4} and put first/),
  });
  expect(bootEntryStep(ofDamaged)).toMatchObject({ outcome: 'done' });
});
