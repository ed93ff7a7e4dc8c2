import { append, count, has, read, shell, write } from '../station.ts';
import { now, valuesOf } from '../texts.ts';

/** What the step remembers between its tries and restarts: files in the folder of the staged files. */

/** Of the runtime, which has read the hive before the first start (hooks/domain/controller-step.ts). */
var settings = 'domain-controller.txt';

export function setting(name: string): string {
  return valuesOf(read(settings), name)[0] || '';
}

export function settingsOf(name: string): string[] {
  return valuesOf(read(settings), name);
}

/** For the report: what was done, and when. */
export function note(sentence: string): void {
  append('journal', `${now()} ${sentence}\r\n`);
}

export function journal(): string {
  return read('journal');
}

/** A number that is there since the first time it was asked for. */
export function remembered(name: string, first: () => number): number {
  if (!has(name) || read(name) === '') write(name, String(first()));
  return parseInt(read(name), 10);
}

/** Are there looks left of these? Counts one. */
export function mayLookAgain(name: string, looks: number): boolean {
  return count(name) < looks;
}

/** `undefined`: there is no such value. */
export function registryNumber(name: string): number | undefined {
  try {
    return parseInt(String(shell.RegRead(name)), 10);
  } catch (_) {
    return undefined;
  }
}
