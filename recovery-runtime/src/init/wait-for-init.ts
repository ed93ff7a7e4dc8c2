import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';

/** Of init; not there when somebody else started this program. */
const initFolder = '/run/rekindle';
/** Written by init when the rest is unpacked, the runtime's own modules are loaded and the firmware's variables mounted. */
const doneFile = `${initFolder}/init-done`;
/** The rest of the runtime: init removes it when all of it is unpacked. */
const archive = '/rekindle/later.cpio.zst';
const unpackLog = `${initFolder}/unpack.log`;
const pauseMs = 10;
/** A driver that hangs is no reason to do nothing: what it drives is missed later, and named there. Missing tools are one. */
const patienceMs = 60_000;

/**
 * Tools, keyboards, loop devices and the firmware's variables are there afterwards.
 * @throws RekindleError `unexpected`: the rest of the runtime could not be unpacked
 */
export async function waitForInit(): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (existsSync(initFolder) && !existsSync(doneFile) && performance.now() < giveUpAt)
    await sleep(pauseMs);
  if (!existsSync(archive)) return;
  const why = existsSync(doneFile)
    ? readFileSync(unpackLog, 'utf8').trim() || 'it was ended, without a word'
    : `not done after ${patienceMs / 1000} s`;
  throw new RekindleError('unexpected', `Unpacking the tools of the recovery runtime into memory: ${why}`, {
    next: 'restart this machine; if it says this again, it has too little memory or a faulty one, or the server has to build the runtime again (rekindle runtime build)',
  });
}
