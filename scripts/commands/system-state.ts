import { Command } from 'commander';
import { addCommand } from './system-state/add.ts';
import { listCommand } from './system-state/list.ts';
import { removeCommand } from './system-state/remove.ts';
import { verifyCommand } from './system-state/verify.ts';

export function systemStateCommand(): Command {
  const command = new Command('system-state').description(
    'backups of domain controllers by wbadmin, in the store, for their restore',
  );
  for (const verb of [addCommand(), listCommand(), verifyCommand(), removeCommand()])
    command.addCommand(verb);
  return command;
}
