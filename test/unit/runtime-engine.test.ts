import { describe, expect, test } from 'vitest';
import { RekindleError } from '#base/errors.ts';
import { machineReportSchema, type StepEvent, stepEventSchema } from '#contract/run-report.ts';
import { createEventPost } from '#runtime/engine/event-post.ts';
import { formatMachineReport, newFindings } from '#runtime/engine/findings.ts';
import { startRun } from '#runtime/engine/run.ts';
import { readingStep } from '#runtime/engine/step.ts';
import type { RunEvent } from '#runtime/engine/step-events.ts';

function clockAt(start: number) {
  let uptime = start;
  return {
    now: () => new Date('2026-11-20T02:00:00Z'),
    uptimeSeconds: () => uptime,
    pass: (seconds: number) => {
      uptime += seconds;
    },
  };
}

describe('run', () => {
  test('tells what a step does and keeps its record with the kernel clock', async () => {
    const clock = clockAt(20);
    const events: RunEvent[] = [];
    const run = startRun(clock, [(event) => events.push(event)]);
    const step = readingStep<number, number>({
      id: 'double',
      title: 'Doubling',
      async run(input, { say, progress }) {
        clock.pass(3);
        say('half way');
        progress(1, 2);
        return { value: input * 2, sentence: 'Doubled.' };
      },
    });
    expect(await run.step(step, 21)).toBe(42);
    expect(events.map(({ state, sentence }) => `${state}: ${sentence}`)).toEqual([
      'started: Doubling',
      'progress: half way',
      'progress: Doubling',
      'done: Doubled.',
    ]);
    expect(run.records).toEqual([
      {
        step: 'double',
        title: 'Doubling',
        outcome: 'done',
        startedAtUptimeSeconds: 20,
        seconds: 3,
        sentence: 'Doubled.',
      },
    ]);
  });

  test('a failed step is recorded with its whole chain, and its error is passed on as it is', async () => {
    const error = new RekindleError('target-unfit', 'writing disk 0', { cause: new Error('EIO') });
    const run = startRun(clockAt(0), []);
    const step = readingStep<void, void>({ id: 'fail', title: 'Failing', run: () => Promise.reject(error) });
    await expect(run.step(step, undefined)).rejects.toBe(error);
    expect(run.records[0]).toMatchObject({ outcome: 'failed', sentence: 'writing disk 0: EIO' });
  });
});

describe('report of the machine', () => {
  const identity = { runId: '3f0d2d0e-8f8d-4c62-9d5e-0c1f2a3b4c5d', purpose: 'recovery' } as const;
  const outcomeOf = (error: unknown, wrote: boolean) => {
    const findings = { ...newFindings(18.4), wrote };
    const report = formatMachineReport(identity, findings, [], { kind: 'failed', error });
    return machineReportSchema.parse(report);
  };
  test('refused before a write, failed after one, aborted by a person', () => {
    expect(outcomeOf(new RekindleError('hardware-not-identical', 'x'), false)).toMatchObject({
      outcome: 'refused',
      exitCode: 12,
    });
    expect(outcomeOf(new RekindleError('verification-failed', 'x'), true)).toMatchObject({
      outcome: 'failed',
      exitCode: 14,
    });
    expect(outcomeOf(new RekindleError('interrupted', 'x'), false)).toMatchObject({
      outcome: 'aborted',
      exitCode: 130,
    });
    expect(outcomeOf(new TypeError('x'), false)).toMatchObject({
      outcome: 'failed',
      exitCode: 1,
      reasons: ['x'],
    });
  });
  test('begins with the time from the kernel to the first line', () => {
    const report = formatMachineReport(identity, newFindings(18.4), [], { kind: 'restored', station: 'S' });
    expect(report.unverified).toEqual([
      'Whether S starts: this report was written before the machine started again.',
    ]);
    expect(report.steps[0]).toMatchObject({
      step: 'start-runtime',
      startedAtUptimeSeconds: 0,
      seconds: 18.4,
    });
  });
});

describe('event post', () => {
  const event = (step: string, doneBytes?: number): RunEvent => ({
    step,
    title: step,
    state: doneBytes === undefined ? 'started' : 'progress',
    at: '2026-11-20T02:00:00.000Z',
    uptimeSeconds: 1,
    sentence: step,
    ...(doneBytes === undefined ? {} : { doneBytes, totalBytes: 10 }),
  });

  test('what happened before the server was known goes first; of progress only the newest', async () => {
    const sent: StepEvent[] = [];
    const post = createEventPost(3600);
    for (const each of [event('a'), event('b', 1), event('b', 2), event('c')]) post.listen(each);
    post.sendTo(async (events) => void sent.push(...events));
    await post.flush();
    post.stop();
    expect(sent.map(({ step, doneBytes }) => `${step}${doneBytes ?? ''}`)).toEqual(['a', 'b2', 'c']);
    for (const each of sent) stepEventSchema.parse(each);
  });

  test('a lost server holds nothing up and loses nothing', async () => {
    const sent: StepEvent[] = [];
    let lost = true;
    const post = createEventPost(3600);
    post.sendTo(async (events) => {
      if (lost) throw new Error('ECONNREFUSED');
      sent.push(...events);
    });
    post.listen(event('a'));
    await post.flush();
    post.listen(event('b'));
    lost = false;
    await post.flush();
    post.stop();
    expect(sent.map(({ step }) => step)).toEqual(['a', 'b']);
  });

  test('a sentence that is longer than the contract allows is cut', async () => {
    const sent: StepEvent[] = [];
    const post = createEventPost(3600);
    post.sendTo(async (events) => void sent.push(...events));
    post.listen({ ...event('a'), sentence: 'x'.repeat(5000) });
    await post.flush();
    post.stop();
    for (const each of sent) stepEventSchema.parse(each);
  });
});
