import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type BootLab, openBootLab } from '#scripts/rehearsal/boot-lab.ts';
import type { BootCellName } from '#scripts/rehearsal/boot-matrix.ts';
import { rehearseBoot } from '#scripts/rehearsal/boot-rehearsal.ts';

/**
 * Loaders that the recovery rehearsals do not use, up to the runtime's first line. The whole matrix of loaders and
 * networks: docs/machines.md.
 */

const stateDirectory = path.join(import.meta.dirname, '../../.rekindle');
const evidence = await mkdtemp(path.join(tmpdir(), 'boot-loaders-'));
afterAll(() => process.stdout.write(`consoles of the loaders: ${evidence}\n`));

const open = (mode: 'reservation' | 'proxy'): Promise<BootLab> =>
  openBootLab({ mode, stateDirectory, evidence: path.join(evidence, mode) });

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

test('BIOS, lpxelinux: the large files by HTTP', async () => {
  await using lab = await open('reservation');
  const { sentences, powerOnToFirstLine } = await rehearseBoot(lab, 'bios-lpxelinux');
  process.stdout.write(`lpxelinux: the runtime's first line ${powerOnToFirstLine} s after power-on\n`);
  expect(sentences.join('\n')).toMatch(/gets menu\.c32 by TFTP/);
  expect(sentences.join('\n')).toMatch(/gets the runtime in/);
});

/** Two starts under emulation for what `wire/field-pains` shows without firmware: only when it is asked for. */
const refusing: readonly BootCellName[] =
  process.env['REKINDLE_LOADERS'] === 'all' ? ['uefi-secure-boot'] : [];
test.each(refusing)(
  'pain 7: %s refuses iPXE that nobody has set: its next start is offered the other one',
  async (cell) => {
    await using lab = await open('reservation');
    for (const file of ['snponly.efi', 'ipxe.efi']) {
      await using machine = await lab.switchOn(cell, { name: `refuses-${file}`, loaderUnset: true });
      await machine.console.waitFor(/failed to load Boot\d+[\s\S]*Access\s+De/, { timeoutSeconds: 300 });
      expect((await lab.lastBoot()).join('\n')).toContain(`gets ${file} by TFTP`);
    }
    expect((await lab.lastBoot()).join('\n')).toContain('nothing was heard of the last start of snponly.efi');
  },
);
