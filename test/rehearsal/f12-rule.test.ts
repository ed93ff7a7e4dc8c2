import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BootLab, openBootLab } from '#scripts/rehearsal/boot-lab.ts';
import type { BootCellName } from '#scripts/rehearsal/boot-matrix.ts';
import { runtimeFirstLine } from '#scripts/rehearsal/boot-rehearsal.ts';
import { makeTellTaleDisk, tellTale } from '#test/support/tell-tale-disk.ts';

/**
 * The F12 rule: a station that starts from the network although nobody wants a recovery starts its own disk, with
 * every kind of loader; the key R at the menu asks for the recovery.
 */

let evidence: string;
let lab: BootLab;
let disk: string;
beforeAll(async () => {
  evidence = await mkdtemp(path.join(tmpdir(), 'f12-rule-'));
  lab = await openBootLab({
    mode: 'reservation',
    stateDirectory: path.join(import.meta.dirname, '../../.rekindle'),
    evidence,
    // As a site has it that sets nothing, but for the patience.
    boot: '{ menuSeconds: 3 }',
  });
  disk = await makeTellTaleDisk(path.join(evidence, 'own-disk.raw'));
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  process.stdout.write(`consoles of the F12 rule: ${evidence}\n`);
});

const seconds = { timeoutSeconds: 300 };

/** Two minutes more, in which OVMF tries IPv6 and HTTP before the disk: only when it is asked for. */
const slow: readonly BootCellName[] = process.env['REKINDLE_LOADERS'] === 'all' ? ['uefi-snponly'] : [];
const loaders: readonly BootCellName[] = ['bios-rom', 'bios-pxelinux', 'uefi-secure-boot', ...slow];
test.each(loaders)('pain 18: %s: without a key the station starts its own disk', async (cell) => {
  await using machine = await lab.switchOn(cell, { disk, name: `${cell}-no-key` });
  await machine.console.waitFor(new RegExp(tellTale), seconds);
  expect(machine.console.text()).not.toMatch(runtimeFirstLine);
  expect((await lab.lastBoot()).join('\n')).toMatch(/menu of BOOT-1/);
});

const others: readonly BootCellName[] =
  process.env['REKINDLE_LOADERS'] === 'all' ? ['bios-pxelinux', 'uefi-snponly', 'uefi-secure-boot'] : [];
test.each<BootCellName>(['bios-rom', ...others])('%s: the key R starts the recovery', async (cell) => {
  await using machine = await lab.switchOn(cell, { disk, name: `${cell}-key-r` });
  await machine.console.waitFor(/Recovery of BOOT-1/, seconds);
  await machine.pressKey('r');
  await machine.console.waitFor(runtimeFirstLine, seconds);
  expect(machine.console.text()).not.toContain(tellTale);
});
