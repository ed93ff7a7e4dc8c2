#!/usr/bin/env node
import { CommanderError } from 'commander';
import { exitCodeOf, exitCodes, formatError } from '#base/errors.ts';
import { explainSystemError } from './explain-system-error.ts';
import { columnsOf, fitTerminal } from './fit-terminal.ts';
import { program } from './program.ts';

try {
  await program().parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    // Commander has said what is wrong; its help ends with 0.
    process.exitCode = thrown.exitCode === 0 ? 0 : exitCodes.usage;
  } else {
    const error = explainSystemError(thrown);
    console.error(fitTerminal(formatError(error), columnsOf(process.stderr)));
    process.exitCode = exitCodeOf(error);
  }
}
