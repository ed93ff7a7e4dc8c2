import { randomUUID } from 'node:crypto';
import { createRunView } from './console/run-view.ts';
import { doneScreen, failureScreen, hookEndingLines, menuScreen, reportScreen } from './console/screens.ts';
import type { Terminal } from './console/terminal.ts';
import { prompts, texts, titles } from './console/texts.ts';
import { createEventPost } from './engine/event-post.ts';
import { type Ending, exitCodeOfEnding, formatMachineReport, newFindings } from './engine/findings.ts';
import { formatLocalReport } from './engine/local-report.ts';
import { startRun } from './engine/run.ts';
import { readingStep } from './engine/step.ts';
import { postReport } from './server-client/calls.ts';
import { explainShareFailure } from './shares/share-failure.ts';
import type { BootCommandLine } from './steps/command-line.ts';
import { keepReport } from './steps/keep-report.ts';
import { runWorkflow, type Workshop } from './workflow.ts';
import type { Machine } from './workflow-machine.ts';

/** What the person, or a good ending, decided to do with the machine. */
export type SessionEnd = 'restart' | 'power-off' | 'no-console';

export interface SessionInput {
  readonly boot: BootCommandLine;
  readonly machine: Machine;
  readonly terminal: Terminal;
  readonly firstLineUptimeSeconds: number;
}

export interface SessionResult {
  readonly end: SessionEnd;
  readonly exitCode: number;
}

/** Runs the workflow until it ends well or the person gives up; every run sends its own report. */
export async function runSession(input: SessionInput): Promise<SessionResult> {
  const { terminal } = input;
  for (;;) {
    const { ending, exitCode } = await runOnce(input);
    if ((ending.kind === 'restored' || ending.kind === 'captured') && exitCode === 0) {
      terminal.print([texts.rebooting]);
      return { end: 'restart', exitCode: 0 };
    }
    const choice = await askMenu(input);
    if (choice !== 'try-again') return { end: choice, exitCode };
  }
}

async function runOnce({
  boot,
  machine,
  terminal,
  firstLineUptimeSeconds,
}: SessionInput): Promise<{ readonly ending: Ending; readonly exitCode: number }> {
  const events = createEventPost();
  const shop: Workshop = {
    boot,
    machine,
    terminal,
    events,
    run: startRun(machine, [createRunView(terminal), events.listen]),
    findings: newFindings(firstLineUptimeSeconds),
  };
  const identity = { runId: randomUUID(), purpose: boot.purpose };
  const ending = await runWorkflow(shop).catch((error: unknown): Ending => {
    return {
      kind: 'failed',
      error: shop.share === undefined ? error : explainShareFailure(shop.share, error),
    };
  });
  await shop.share?.[Symbol.asyncDispose]();
  terminal.print(endingScreen(ending, shop));
  if (shop.alone === undefined) await sendReport(shop, identity, ending);
  else await keepReportHere(shop, shop.alone, identity, ending);
  await closeMedium(shop);
  events.stop();
  shop.server?.close();
  return { ending, exitCode: exitCodeOfEnding(ending, shop.findings.hooks) };
}

function endingScreen(ending: Ending, { findings }: Workshop): string[] {
  switch (ending.kind) {
    case 'restored':
      return [...doneScreen(texts.restoreDone(ending.station)), ...hookEndingLines(findings.hooks)];
    case 'captured':
      return doneScreen(texts.captureDone(ending.image));
    case 'dry-run':
      return doneScreen(texts.dryRun);
    case 'failed':
      return failureScreen(ending.error, findings.wrote);
  }
}

/** The report is the last thing that can be lost, and losing it does not undo what was done. */
async function sendReport(
  { run, openJob, events, findings }: Workshop,
  identity: Parameters<typeof formatMachineReport>[0],
  ending: Ending,
): Promise<void> {
  if (openJob === undefined) return;
  const step = readingStep<typeof openJob, void>({
    id: 'send-report',
    title: titles['send-report'],
    async run(job) {
      await events.flush();
      await postReport(job.server, job, formatMachineReport(identity, findings, run.records, ending));
      return { value: undefined, sentence: texts.reportSent };
    },
  });
  await run.step(step, openJob).catch(() => {
    // The step has said why on the screen; the machine's fate does not hang on it.
  });
}

/** Without the service the report goes onto the medium; where that cannot be written it stays on the screen. */
async function keepReportHere(
  { run, terminal, medium, machine, findings }: Workshop,
  { image, ...alone }: NonNullable<Workshop['alone']>,
  identity: Parameters<typeof formatMachineReport>[0],
  ending: Ending,
): Promise<void> {
  findings.unverified.push(texts.reportUnsigned);
  const report = formatLocalReport({
    ...alone,
    image,
    closedAt: machine.now(),
    machine: formatMachineReport(identity, findings, run.records, ending),
  });
  const write = medium?.write;
  const isKept =
    write !== undefined &&
    (await run.step(keepReport, { folder: medium?.folder ?? '', write, report }).then(
      () => true,
      // The step has said why on the screen.
      () => false,
    ));
  if (isKept) return;
  terminal.print(reportScreen(report));
  // A failed run asks what next anyway.
  if (ending.kind === 'restored') await terminal.ask({ prompt: prompts.noted });
}

async function closeMedium({ medium }: Workshop): Promise<void> {
  try {
    await medium?.[Symbol.asyncDispose]();
  } catch {
    // It was pulled out; nothing of it is needed any more.
  }
}

/** No time-out: a machine that failed stays as it is until somebody comes. */
async function askMenu({ terminal, machine }: SessionInput): Promise<SessionEnd | 'try-again'> {
  for (;;) {
    terminal.print(menuScreen());
    const answer = await terminal.ask({ prompt: prompts.menu });
    if (answer.kind === 'closed') return 'no-console';
    if (answer.kind !== 'line') continue;
    switch (answer.text.trim()) {
      case '1':
        return 'try-again';
      case '2':
        await terminal.lend(() => machine.runShell(answer.from));
        break;
      case '3':
        return 'restart';
      case '4':
        return 'power-off';
    }
  }
}
