import { expect } from 'vitest';
import { lineColumns } from '#runtime/console/layout.ts';
import { credentials } from './api-service.ts';
import type { Sitting } from './file-machine.ts';
import { renderScreen } from './terminal-screen.ts';

/** What a technician does at the machine's console. */

export async function logOn({ port }: Sitting): Promise<void> {
  await port.waitFor('Technician: ');
  port.type(`${credentials.technician}\r`);
  await port.waitFor('Password: ');
  port.type(`${credentials.password}\r`);
}

export async function chooseNewest({ port }: Sitting): Promise<void> {
  await port.waitFor('Image [1]: ');
  port.type('\r');
}

/** Types the station's name, as the last question wants it. */
export async function confirm(
  { port }: Sitting,
  what: 'restore' | 'capture',
  station: string,
  seconds?: number,
): Promise<void> {
  await port.waitFor(`Type ${station} to start the ${what}: `, seconds);
  port.type(`${station}\r`);
}

/** @returns exit code of the run */
export async function leave({ port, result }: Sitting): Promise<number> {
  await port.waitFor('Choose 1 to 4: ');
  port.type('4\r');
  expect((await result).end).toBe('power-off');
  expectToFit(port.written());
  return (await result).exitCode;
}

/** Every line that was ever on the screen fits on it. */
export function expectToFit(written: string): void {
  for (const line of renderScreen(written, 80, 100_000)) expect(line.length).toBeLessThanOrEqual(lineColumns);
}
