import { RekindleError } from '#base/errors.ts';
import type { SerialConsole } from './serial-console.ts';

/** A person at the station's console: reads what is asked, types the answer. */

export interface Credentials {
  readonly technician: string;
  readonly password: string;
}

const enter = '\r';
/** Firmware, loader, kernel and runtime under emulation on a busy machine, with room. */
const startSeconds = 240;
const questionSeconds = 60;
/** An emulated machine restores and reads back some 10 MB/s at worst. */
const workSeconds = 420;

export async function logOn(console: SerialConsole, { technician, password }: Credentials): Promise<void> {
  await console.waitFor(/Technician: $/m, { timeoutSeconds: startSeconds });
  await console.type(`${technician}${enter}`);
  await console.waitFor(/Password: $/m, { timeoutSeconds: questionSeconds });
  await console.type(`${password}${enter}`);
}

export async function enrolAndCapture(console: SerialConsole, station: string): Promise<void> {
  await console.waitFor(/Station name to enrol: $/m, { timeoutSeconds: questionSeconds });
  await console.type(`${station}${enter}`);
  await console.waitFor(new RegExp(`Type ${station} to start the capture: $`, 'm'), {
    timeoutSeconds: questionSeconds,
  });
  await console.type(`${station}${enter}`);
  await console.waitFor(/is in the image store\./, { timeoutSeconds: workSeconds });
}

/** Takes the newest image, up to the question that starts the restore. */
export async function chooseNewestImage(console: SerialConsole, station: string): Promise<void> {
  await chooseImage(console, station, 1);
}

/** @param number in the list on the screen, 1 is the newest */
export async function chooseImage(console: SerialConsole, station: string, number: number): Promise<void> {
  await console.waitFor(/Image \[1\]: $/m, { timeoutSeconds: questionSeconds });
  await console.type(`${number}${enter}`);
  await readPlan(console, station);
}

/** Up to the question that starts the restore; data volumes that a blank disk has lost come back. */
export async function readPlan(console: SerialConsole, station: string): Promise<void> {
  const start = `Type ${station} to start the restore: $`;
  const asked = await console.waitFor(new RegExp(`${start}|Type RESTORE or LEAVE: $`, 'm'), {
    timeoutSeconds: questionSeconds,
  });
  if (!asked[0].includes('RESTORE or LEAVE')) return;
  await console.type(`RESTORE${enter}`);
  await console.waitFor(new RegExp(start, 'm'), { timeoutSeconds: questionSeconds });
}

export async function confirmRestore(console: SerialConsole, station: string): Promise<void> {
  await startRestore(console, station);
  await waitForRestored(console, station);
}

async function waitForRestored(console: SerialConsole, station: string): Promise<void> {
  await console.waitFor(new RegExp(`${station} is restored\\.`), { timeoutSeconds: workSeconds });
}

/**
 * The machine stopped with this exit code on its screen, sent its report if it can, and asks what next.
 * @throws RekindleError `verification-failed` when it stopped with another one, or did not stop
 */
export async function waitForRefusal(console: SerialConsole, exitCode: number): Promise<void> {
  const [, found] = await console.waitFor(/\(exit code (\d+)\)/, { timeoutSeconds: startSeconds });
  if (found !== String(exitCode)) {
    throw new RekindleError(
      'verification-failed',
      `the machine stopped with exit code ${found} instead of ${exitCode}`,
    );
  }
  await console.waitFor(/Choose 1 to 4: $/m, { timeoutSeconds: questionSeconds });
}

/** From the menu after a refusal: the same machine, from the beginning. */
export async function tryAgain(console: SerialConsole): Promise<void> {
  await console.type(`1${enter}`);
}

export async function startRestore(console: SerialConsole, station: string): Promise<void> {
  await console.type(`${station}${enter}`);
}
