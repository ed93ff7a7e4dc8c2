import { Command } from 'commander';
import { sqlCommand } from './hook/sql.ts';

export function hookCommand(): Command {
  const command = new Command('hook').description(
    'what follows the restore, on a station that is up already',
  );
  command.addCommand(sqlCommand());
  return command;
}
