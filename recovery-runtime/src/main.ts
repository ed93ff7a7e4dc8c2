// Before everything else: it puts the first line on the consoles while the rest is still being loaded.
import './first-line.ts';
import { readFileSync } from 'node:fs';
import { exitCodeOf, formatError } from '#base/errors.ts';
import { releaseLeftLocks } from './block/write-lock.ts';
import { wrap } from './console/layout.ts';
import { firstLineUptimeSeconds, hasConsole, terminal } from './first-line.ts';
import { waitForInit } from './init/wait-for-init.ts';
import { parseCommandLine } from './steps/command-line.ts';
import { asStandIn, linuxMachine } from './workflow-linux-machine.ts';
import { runSession } from './workflow-session.ts';

/**
 * The recovery runtime, started by init. Ends with 0 when the machine is to start again or to be powered off
 * (which of both is in /run/rekindle/next), else with the exit code of what stopped it.
 */
async function main(): Promise<number> {
  const stopGuarding = guard();
  const boot = parseCommandLine(readFileSync('/proc/cmdline', 'utf8'));
  const dryRun = boot.dryRun || process.argv.includes('--dry-run');
  await waitForInit();
  await releaseLeftLocks();
  const { end, exitCode } = await runSession({
    boot: { ...boot, dryRun },
    machine: boot.standIn ? asStandIn(linuxMachine) : linuxMachine,
    terminal,
    firstLineUptimeSeconds,
  });
  stopGuarding();
  if (end === 'no-console') return exitCode;
  await (end === 'restart' ? linuxMachine.restart() : linuxMachine.powerOff());
  return 0;
}

/** A mistake of ours that nobody caught: said on every console before init takes over. */
function guard(): () => void {
  const onMistake = (error: unknown) => {
    say(error);
    process.exit(1);
  };
  process.on('uncaughtException', onMistake);
  return () => process.off('uncaughtException', onMistake);
}

function say(error: unknown): void {
  const text = formatError(error);
  if (!hasConsole) process.stderr.write(`${text}\n`);
  terminal.print(text.split('\n').flatMap((line) => wrap(line)));
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(error);
    process.exit(exitCodeOf(error));
  },
);
