#!/usr/bin/env node
import { CommanderError } from 'commander';
import { exitCodeOf, exitCodes, formatError } from '#base/errors.ts';
import { program } from './program.ts';

try {
  await program().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong; its help ends with 0.
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  } else {
    console.error(formatError(error));
    process.exitCode = exitCodeOf(error);
  }
}
