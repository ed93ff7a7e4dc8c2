import { Command } from 'commander';
import { dcCommand } from './hook/dc.ts';
import { domainCommand } from './hook/domain.ts';
import { showCommand } from './hook/show.ts';
import { sqlCommand } from './hook/sql.ts';

export function hookCommand(): Command {
  const command = new Command('hook').description('what follows the restore of a station');
  command.addCommand(showCommand());
  command.addCommand(sqlCommand());
  command.addCommand(domainCommand());
  command.addCommand(dcCommand());
  return command;
}
