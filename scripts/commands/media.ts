import { Command } from 'commander';
import { buildCommand } from './media/build.ts';
import { checkCommand } from './media/check.ts';
import { installCommand } from './media/install.ts';

export function mediaCommand(): Command {
  const command = new Command('media').description('recovery media for one station');
  for (const verb of [buildCommand(), checkCommand(), installCommand()]) command.addCommand(verb);
  return command;
}
