import { readFileSync } from 'node:fs';
import { exitCodeOf, formatError } from '#base/errors.ts';
import { releaseLeftLocks } from './block/write-lock.ts';
import { openConsoles } from './console/devices.ts';
import { wrap } from './console/layout.ts';
import { createTerminal, type Terminal } from './console/terminal.ts';
import { texts } from './console/texts.ts';
import { parseCommandLine } from './steps/command-line.ts';
import { asStandIn, linuxMachine, uptimeSeconds } from './workflow-linux-machine.ts';
import { runSession } from './workflow-session.ts';

/**
 * The recovery runtime, started by init. Ends with 0 when the machine is to start again or to be powered off
 * (which of both is in /run/rekindle/next), else with the exit code of what stopped it.
 */
async function main(): Promise<number> {
  const firstLineUptimeSeconds = uptimeSeconds();
  const { ports, refused } = openConsoles();
  const terminal = createTerminal(ports);
  const stopGuarding = guard(terminal);
  for (const reason of refused) terminal.print(wrap(texts.consoleLost(reason)));

  const boot = parseCommandLine(readFileSync('/proc/cmdline', 'utf8'));
  const dryRun = boot.dryRun || process.argv.includes('--dry-run');
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
function guard(terminal: Terminal): () => void {
  const onMistake = (error: unknown) => {
    terminal.print(
      formatError(error)
        .split('\n')
        .flatMap((line) => wrap(line)),
    );
    process.exit(1);
  };
  process.on('uncaughtException', onMistake);
  return () => process.off('uncaughtException', onMistake);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${formatError(error)}\n`);
    process.exit(exitCodeOf(error));
  },
);
