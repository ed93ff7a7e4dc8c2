import { serveLoggedDisk } from './logged-disk.ts';
import { type LogEntry, type PowerCut, readWriteLog } from './write-log.ts';

export type CutKind = 'lossy' | 'torn';

/** Each write since the last flush survives with p = 0.5; the last may be torn at any sector. */
export function randomCut(after: number, kind: CutKind, random: () => number): PowerCut {
  return {
    after,
    survives(write, isLast) {
      if (kind === 'torn' && isLast) return Math.floor(random() * (write.sizeBytes / 512 + 1)) * 512;
      return random() < 0.5 ? write.sizeBytes : 0;
    },
  };
}

export interface LoggedRun {
  readonly entries: readonly LogEntry[];
  readonly logFile: string;
  /** Entries in the log when the program had said that it is done. */
  readonly doneAfter: number;
}

/** Runs `use` on a logged disk; it calls `done` when the program has said that it is done, at the latest at its end. */
export async function logRun(
  folder: string,
  before: string,
  use: (device: string, done: () => void) => Promise<void>,
): Promise<LoggedRun> {
  let doneAfter = 0;
  let logFile: string;
  {
    await using disk = await serveLoggedDisk(folder, before);
    logFile = disk.logFile;
    const done = (): void => {
      if (doneAfter === 0) doneAfter = disk.countEntries();
    };
    await use(disk.device, done);
    done();
  }
  return { entries: readWriteLog(logFile), logFile, doneAfter };
}
