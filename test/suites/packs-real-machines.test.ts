import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { unpackKernel } from '#driver-packs/kernel-package.ts';
import { readModuleIndex } from '#driver-packs/module-index.ts';
import { planDriverPack } from '#driver-packs/plan-driver-pack.ts';
import { takePassport } from '#runtime/inventory/inventory.ts';
import { layOutSysfs } from '#test/support/captured-sysfs.ts';
import { machineShapes } from '#test/support/machine-shapes.ts';
import { realMachines } from '#test/support/real-machines.ts';

/** The drivers that Debian's kernel has for machines that exist: those that were at work in the reports they come from. */
test.each([
  ['powerEdgeT320', ['ahci', 'megaraid_sas', 'tg3', 'tg3']],
  ['kontronKtgm45', ['ata_piix', 'pata_jmicron', 'e1000e', 'e1000e']],
] as const)('%s', async (name, drivers) => {
  const index = await readModuleIndex(await unpackKernel({ cacheDirectory: '.rekindle/cache' }));
  const plan = planDriverPack(realMachines[name], index);
  expect(plan.uncovered).toEqual([]);
  expect(plan.covers.map(({ module }) => module)).toEqual(drivers);
  expect(plan.modules.map((module) => module.name)).toContain('sd_mod');
});

test.each(Object.keys(machineShapes))(
  "every device of the shape %s has a driver in Debian's kernel",
  async (shape) => {
    const root = await mkdtemp(join(tmpdir(), 'shape-'));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    layOutSysfs(await readFile(`test/support/captured-sysfs/${shape}.tsv`, 'utf8'), root);
    const index = await readModuleIndex(await unpackKernel({ cacheDirectory: '.rekindle/cache' }));
    expect(planDriverPack(await takePassport({ root }), index).uncovered).toEqual([]);
  },
);
