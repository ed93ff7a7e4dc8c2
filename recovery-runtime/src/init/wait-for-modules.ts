import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Of init; not there when somebody else started this program. */
const initFolder = '/run/rekindle';
/** Written by init when the runtime's own modules are loaded and the firmware's variables are mounted. */
const loadedFile = `${initFolder}/modules-loaded`;
const pauseMs = 10;
/** A driver that hangs is no reason to do nothing: what it drives is missed later, and named there. */
const patienceMs = 60_000;

/** Keyboards, loop devices and the firmware's variables are there afterwards. */
export async function waitForModules(): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (existsSync(initFolder) && !existsSync(loadedFile) && performance.now() < giveUpAt)
    await sleep(pauseMs);
}
