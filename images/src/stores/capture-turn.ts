import { randomUUID } from 'node:crypto';
import { access, constants, copyFile, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { isProcessGone } from '#base/this-process.ts';
import { capturesFolder, storeTimeMs } from './announcement.ts';

/**
 * One capture at a time in a store, whoever makes it: `<store>/captures/.turn` names the capture that has its turn
 * and is written again while that lives; `.turn-ended` is the one before, and its time is when it ended. Times are
 * those of the store's file system and are compared with each other only: a share's clock may be wrong.
 */
const holderSchema = z.object({
  id: z.string(),
  /** Whose image it makes. */
  station: z.string(),
  /** The person that started it. */
  who: z.string(),
  since: z.iso.datetime(),
  /** After so long without a sign of life it counts as dead. */
  silenceSeconds: z.number().positive(),
  /** The process that makes it, where the capture ends with that. */
  process: z
    .object({ boot: z.string(), pidNamespace: z.string(), pid: z.int(), startTicks: z.string() })
    .optional(),
});
export type TurnHolder = z.infer<typeof holderSchema>;

export interface TurnPolicy {
  readonly oneAtATime: boolean;
  /** From the end of a capture to the start of the next one. */
  readonly bufferSeconds: number;
}

export interface Turn {
  /** A sign of life; false when the turn is not, or no longer, its own. */
  beat(): Promise<boolean>;
  /** The capture ended; the time buffer begins. */
  release(): Promise<void>;
  /** It starts again, or never began: the next one may start at once. */
  giveUp(): Promise<void>;
}

export type TurnAnswer =
  | { readonly kind: 'taken'; readonly turn: Turn }
  | { readonly kind: 'busy'; readonly sentence: string; readonly retrySeconds: number };

/** A file that is not understood was being written when its machine stopped. */
const unknownSilenceSeconds = 600;
const retrySeconds = 3;

const filesOf = (store: string) => {
  const folder = path.join(store, capturesFolder);
  return { folder, turn: path.join(folder, '.turn'), ended: path.join(folder, '.turn-ended') };
};

/** Asks once. @throws RekindleError `store-unreachable` */
export async function takeTurn(store: string, holder: TurnHolder, policy: TurnPolicy): Promise<TurnAnswer> {
  if (!policy.oneAtATime) return { kind: 'taken', turn: noTurn };
  const { turn, ended } = filesOf(store);
  try {
    // A share that is not mounted must not become a folder of that name.
    await access(store);
    for (;;) {
      const now = await storeTimeMs(store);
      const current = await readTurn(turn);
      if (current !== null) {
        if (!isDead(current, now)) return { kind: 'busy', sentence: describe(current), retrySeconds };
        await endDeadTurn(turn, ended, current);
        continue;
      }
      const endedMs = await timeOf(ended);
      const from = endedMs === undefined ? now : endedMs + policy.bufferSeconds * 1000;
      if (from > now) return waitForBuffer(from, now);
      if (await writeNew(turn, holder)) return { kind: 'taken', turn: turnOf(store, holder.id) };
    }
  } catch (cause) {
    throw new RekindleError('store-unreachable', `Taking the turn for a capture in image store ${store}`, {
      cause,
      next: 'Check the path, that the share or disk is mounted, its space and its rights.',
    });
  }
}

const noTurn: Turn = { beat: async () => true, release: async () => {}, giveUp: async () => {} };

/** The turn of a capture that took it before, maybe in a process that has ended since. */
export function turnOf(store: string, id: string): Turn {
  const { turn, ended } = filesOf(store);
  const beat = async (): Promise<boolean> => {
    const current = await readTurn(turn);
    if (current?.holder?.id !== id) return false;
    // Written, not touched: the time has to be that of the share's server.
    const handle = await open(turn, 'r+');
    try {
      await handle.write(formatHolder(current.holder), 0);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return true;
  };
  return {
    beat,
    async release() {
      if (await beat()) await renameIfThere(turn, ended);
    },
    async giveUp() {
      if ((await readTurn(turn))?.holder?.id === id) await rm(turn, { force: true });
    },
  };
}

/**
 * Its last sign of life was its end. Another one who waits may have taken the turn since it was looked at, and any
 * look at a name is too early: so it is moved to where nobody else moves it, and put back if it is not the dead one.
 */
async function endDeadTurn(turn: string, ended: string, dead: FoundTurn): Promise<void> {
  const aside = `${turn}-${randomUUID()}`;
  await renameIfThere(turn, aside);
  const moved = await readTurn(aside);
  if (moved === null) return;
  if (moved.holder?.id === dead.holder?.id && moved.lastBeatMs === dead.lastBeatMs) {
    await renameIfThere(aside, ended);
    return;
  }
  // Copied: not every share has links. Whoever took the turn in between keeps it; the moved one hears of it (`beat`).
  await copyFile(aside, turn, constants.COPYFILE_EXCL).catch((error: unknown) => {
    if (!isErrno(error, 'EEXIST')) throw error;
  });
  await rm(aside, { force: true });
}

interface FoundTurn {
  readonly holder: TurnHolder | null;
  readonly lastBeatMs: number;
}

async function readTurn(file: string): Promise<FoundTurn | null> {
  const lastBeatMs = await timeOf(file);
  if (lastBeatMs === undefined) return null;
  try {
    return { holder: holderSchema.parse(JSON.parse(await readFile(file, 'utf8'))), lastBeatMs };
  } catch (error) {
    return isErrno(error, 'ENOENT') ? null : { holder: null, lastBeatMs };
  }
}

function isDead({ holder, lastBeatMs }: FoundTurn, now: number): boolean {
  if (holder?.process !== undefined && isProcessGone(holder.process)) return true;
  return now - lastBeatMs > (holder?.silenceSeconds ?? unknownSilenceSeconds) * 1000;
}

function describe({ holder }: FoundTurn): string {
  return holder === null
    ? 'a capture has its turn, of which nothing is known'
    : `the capture of ${holder.station}, started by ${holder.who} at ${holder.since}, has its turn`;
}

const waitForBuffer = (fromMs: number, now: number): TurnAnswer => ({
  kind: 'busy',
  sentence: `a capture ended a short while ago, and the next one may start at ${new Date(fromMs).toISOString()}`,
  retrySeconds: Math.min(Math.ceil((fromMs - now) / 1000), retrySeconds),
});

const formatHolder = (holder: TurnHolder): string => `${JSON.stringify(holder)}\n`;

/** False when somebody else was first. */
async function writeNew(file: string, holder: TurnHolder): Promise<boolean> {
  try {
    await writeFile(file, formatHolder(holder), { flag: 'wx', flush: true });
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error;
  });
}

async function timeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).mtimeMs;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
