import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type BootLab, openBootLab } from '#scripts/rehearsal/boot-lab.ts';
import { rehearseBoot } from '#scripts/rehearsal/boot-rehearsal.ts';
import { makeTellTaleDisk, tellTale } from '#scripts/rehearsal/tell-tale-disk.ts';

/**
 * Loaders that the recovery rehearsals do not use, up to the runtime's first line, and the F12 rule. The whole matrix
 * of loaders and networks: docs/machines.md.
 */

const stateDirectory = path.join(import.meta.dirname, '../../.rekindle');
const evidence = await mkdtemp(path.join(tmpdir(), 'boot-loaders-'));
afterAll(() => process.stdout.write(`consoles of the loaders: ${evidence}\n`));

const open = (mode: 'reservation' | 'proxy', boot?: string): Promise<BootLab> =>
  openBootLab({
    mode,
    stateDirectory,
    evidence: path.join(evidence, `${mode}${boot === undefined ? '' : '-menu'}`),
    ...(boot === undefined ? {} : { boot }),
  });

test('Secure Boot: shim, signed GRUB, signed kernel; the runtime says how far it is locked down', async () => {
  await using lab = await open('reservation');
  await using machine = await lab.switchOn('uefi-secure-boot');
  await machine.console.waitFor(/Secure\s+Boot\s+is\s+on,\s+the\s+kernel\s+locked\s+down\s+\(integrity\)/, {
    timeoutSeconds: 600,
  });
  const sentences = (await lab.lastBoot()).join('\n');
  expect(sentences).toMatch(/gets grubx64\.efi by TFTP/);
  expect(sentences).toMatch(/gets the boot menu of BOOT-1/);
  expect(sentences).toMatch(/gets \/boot\/runtime\.img by TFTP/);
});

test('Secure Boot beside a foreign DHCP server: our whole answer wins', async () => {
  await using lab = await open('proxy');
  const { sentences } = await rehearseBoot(lab, 'uefi-secure-boot');
  expect(sentences.join('\n')).toMatch(
    /DISCOVER.*gets OFFER, address 10\.77\.0\.100, boot file shimx64\.efi/,
  );
});

test.each(['bios-undionly', 'bios-lpxelinux'] as const)('%s', async (cell) => {
  await using lab = await open('reservation');
  const { sentences, powerOnToFirstLine } = await rehearseBoot(lab, cell);
  process.stdout.write(`${cell}: the runtime's first line ${powerOnToFirstLine} s after power-on\n`);
  expect(sentences.join('\n')).toMatch(cell === 'bios-undionly' ? /undionly\.kpxe/ : /lpxelinux\.0/);
});

test.each(['bios-rom', 'uefi-secure-boot', 'bios-pxelinux'] as const)(
  'F12 rule, %s: without a key the station starts its own disk',
  async (cell) => {
    await using lab = await open('reservation', '{ menuSeconds: 2 }');
    const disk = await makeTellTaleDisk(path.join(evidence, `${cell}.raw`));
    await using machine = await lab.switchOn(cell, { disk });
    await machine.console.waitFor(new RegExp(tellTale), { timeoutSeconds: 600 });
    expect(machine.console.text()).not.toMatch(/Reading the keys of this site/);
    await rm(disk);
  },
);

test('F12 rule: R in the menu starts the recovery', async () => {
  await using lab = await open('reservation', '{ menuSeconds: 60 }');
  await using machine = await lab.switchOn('bios-rom');
  await machine.console.waitFor(/Recovery of BOOT-1/, { timeoutSeconds: 300 });
  await machine.console.type('r');
  await machine.console.waitFor(/Reading the keys of this site/, { timeoutSeconds: 600 });
});
