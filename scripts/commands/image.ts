import { Command } from 'commander';
import { captureCommand } from './image/capture.ts';
import { copyCommand } from './image/copy.ts';
import { exportCommand } from './image/export.ts';
import { gcCommand } from './image/gc.ts';
import { importCommand } from './image/import.ts';
import { listCommand } from './image/list.ts';
import { mountCommand } from './image/mount.ts';
import { pruneCommand } from './image/prune.ts';
import { showCommand } from './image/show.ts';
import { verifyCommand } from './image/verify.ts';

export function imageCommand(): Command {
  const command = new Command('image').description('images in the store');
  for (const verb of [
    captureCommand(),
    copyCommand(),
    exportCommand(),
    importCommand(),
    gcCommand(),
    listCommand(),
    mountCommand(),
    pruneCommand(),
    showCommand(),
    verifyCommand(),
  ])
    command.addCommand(verb);
  return command;
}
