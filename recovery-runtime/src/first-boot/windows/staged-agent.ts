import { RekindleError } from '#base/errors.ts';
import type { FirstBootPlan, FirstBootStep } from '#contract/first-boot.ts';
import type { StagedFiles } from '../../hooks/windows/first-boot/stage-files.ts';
import type { StagedFile } from '../staged-files.ts';

export interface WindowsStaging {
  readonly plan: FirstBootPlan;
  readonly key: Uint8Array;
  readonly files: readonly StagedFile[];
  /** Compiled from `agent/main.ts`. */
  readonly agent: Uint8Array;
  readonly runStep: Uint8Array;
  readonly remover: Uint8Array;
  /** nssm, of the restored Windows' own word size. */
  readonly wrapper: Uint8Array;
}

/** What is put into the agent's folder; `agent/` reads it. Pure. @throws RekindleError `usage` */
export function stagedAgent({
  plan,
  key,
  files,
  agent,
  runStep,
  remover,
  wrapper,
}: WindowsStaging): StagedFiles {
  const staged = new Map<string, Uint8Array>([
    ['agent.js', agent],
    ['run.cmd', crlf(Buffer.from(runStep).toString('latin1'))],
    ['remove.cmd', crlf(Buffer.from(remover).toString('latin1'))],
    ['nssm.exe', wrapper],
    ['key', crlf(Buffer.from(key).toString('hex'))],
  ]);
  const names = plan.steps.map(({ hook }, at) => `${String(at + 1).padStart(2, '0')}-${hook}`);
  staged.set(
    'job',
    lines([
      ['job', plan.jobId],
      ...plan.servers.map((server) => ['server', server] as const),
      ['giveUpHours', plan.giveUpHours],
      ...names.map((name) => ['step', name] as const),
    ]),
  );
  for (const [at, step] of plan.steps.entries()) {
    const folder = `steps\\${names[at]}`;
    staged.set(`${folder}\\step`, lines(settingsOf(step)));
    staged.set(`${folder}\\command.cmd`, commandOf(step));
  }
  // There is a folder for the steps' files even when no step has any.
  staged.set('work\\README', crlf('Files of the steps, and their current folder.'));
  for (const { name, bytes } of files) staged.set(`work\\${name}`, bytes);
  return staged;
}

const settingsOf = (step: FirstBootStep): (readonly [string, string | number])[] => [
  ['hook', step.hook],
  ['after', step.after.join(' ')],
  ['timeoutSeconds', step.timeoutSeconds],
  ['retrySeconds', step.retrySeconds],
  ['tries', step.tries],
  ...step.secretFiles.map((name) => ['secret', name] as const),
];

/** Which code page Windows reads a batch file in depends on the station: ASCII is the same in all of them. */
function commandOf({ hook, command }: FirstBootStep): Buffer {
  if (/^[\x20-\x7e]+$/.test(command)) return crlf(`@echo off\n${command}`);
  throw new RekindleError('usage', `staging the first-boot step of hook ${hook}`, {
    cause: new Error(`its command is not one line of ASCII: ${JSON.stringify(command)}`),
    next: 'Use names without umlauts in the hook plan of this station.',
  });
}

const lines = (settings: readonly (readonly [string, string | number])[]): Buffer =>
  crlf(settings.map(([name, value]) => `${name}=${value}`).join('\n'));

const crlf = (text: string): Buffer =>
  Buffer.from(`${text.trimEnd()}\n`.replaceAll('\r\n', '\n').replaceAll('\n', '\r\n'), 'latin1');
