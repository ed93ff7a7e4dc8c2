import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { isProcessGone } from '#base/this-process.ts';
import { isErrno } from '../block-device/direct-buffer.ts';

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
  beat(): boolean;
  /** The capture ended; the time buffer begins. */
  release(): void;
  /** It starts again, or never began: the next one may start at once. */
  giveUp(): void;
}

export type TurnAnswer =
  | { readonly kind: 'taken'; readonly turn: Turn }
  | { readonly kind: 'busy'; readonly sentence: string; readonly retrySeconds: number };

/** A file that is not understood was being written when its machine stopped. */
const unknownSilenceSeconds = 600;
const retrySeconds = 3;

const filesOf = (store: string) => {
  const folder = path.join(store, 'captures');
  return { folder, turn: path.join(folder, '.turn'), ended: path.join(folder, '.turn-ended') };
};

/** Asks once. @throws RekindleError `store-unreachable` */
export function takeTurn(store: string, holder: TurnHolder, policy: TurnPolicy): TurnAnswer {
  if (!policy.oneAtATime)
    return { kind: 'taken', turn: { beat: () => true, release: () => {}, giveUp: () => {} } };
  const { folder, turn, ended } = filesOf(store);
  try {
    // A share that is not mounted must not become a folder of that name.
    fs.accessSync(store);
    fs.mkdirSync(folder, { recursive: true });
    for (;;) {
      const now = storeTimeMs(folder);
      const current = readTurn(turn);
      if (current !== null) {
        if (!isDead(current, now)) return { kind: 'busy', sentence: describe(current), retrySeconds };
        // Its last sign of life was its end. Another one who waits may have taken the turn since we looked.
        if (readTurn(turn)?.holder?.id === current.holder?.id) renameIfThere(turn, ended);
        continue;
      }
      const endedMs = timeOf(ended);
      const from = endedMs === undefined ? now : endedMs + policy.bufferSeconds * 1000;
      if (from > now) return waitForBuffer(from, now);
      if (writeNew(turn, holder)) return { kind: 'taken', turn: turnOf(store, holder.id) };
    }
  } catch (cause) {
    throw new RekindleError('store-unreachable', `Taking the turn for a capture in image store ${store}`, {
      cause,
      next: 'Check the path, that the share or disk is mounted, its space and its rights.',
    });
  }
}

/** The turn of a capture that took it before, maybe in a process that has ended since. */
export function turnOf(store: string, id: string): Turn {
  const { turn, ended } = filesOf(store);
  const beat = (): boolean => {
    const current = readTurn(turn);
    if (current?.holder?.id !== id) return false;
    // Written, not touched: the time has to be that of the share's server.
    const fd = fs.openSync(turn, 'r+');
    fs.writeSync(fd, formatHolder(current.holder), 0);
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    return true;
  };
  return {
    beat,
    release() {
      if (beat()) renameIfThere(turn, ended);
    },
    giveUp() {
      if (readTurn(turn)?.holder?.id === id) fs.rmSync(turn, { force: true });
    },
  };
}

interface FoundTurn {
  readonly holder: TurnHolder | null;
  readonly lastBeatMs: number;
}

function readTurn(file: string): FoundTurn | null {
  const lastBeatMs = timeOf(file);
  if (lastBeatMs === undefined) return null;
  try {
    return { holder: holderSchema.parse(JSON.parse(fs.readFileSync(file, 'utf8'))), lastBeatMs };
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
function writeNew(file: string, holder: TurnHolder): boolean {
  try {
    const fd = fs.openSync(file, 'wx');
    fs.writeSync(fd, formatHolder(holder));
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

const timeOf = (file: string): number | undefined => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs;

/** Now, as the store's file system has it. */
function storeTimeMs(folder: string): number {
  const file = path.join(folder, `.clock-${randomUUID()}`);
  try {
    fs.writeFileSync(file, 'now\n', { flag: 'wx', flush: true });
    return fs.statSync(file).mtimeMs;
  } finally {
    fs.rmSync(file, { force: true });
  }
}
