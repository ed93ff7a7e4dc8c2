import { copyFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BootLab, bootStation, openBootLab } from '#scripts/rehearsal/boot-lab.ts';
import type { BootCellName } from '#scripts/rehearsal/boot-matrix.ts';
import type { EmulatedMachine } from '#scripts/rehearsal/emulated-machine.ts';
import {
  isoSays,
  makePlantSystem,
  makeToolsIso,
  makeWimbootStandIn,
  makeWindowsPe,
  otherSystems,
  plantSays,
  shareOfColour,
  standInSays,
} from '#test/support/boot-targets.ts';
import { makeTellTaleDisk, tellTale } from '#test/support/tell-tale-disk.ts';

/**
 * The other systems of a station's boot menu, started by their keys. In CI what goes other ways than the runtime does,
 * with BIOS and iPXE; the others with REKINDLE_LOADERS=all.
 */

/** The Windows PE with this station's drivers, beside the common one. */
const ownWim = `boot-${bootStation}.wim`;
let evidence: string;
let lab: BootLab;
let disk: string;
const files = (name: string) => path.join(lab.site.directory, 'boot', name);
const all = process.env['REKINDLE_LOADERS'] === 'all';
const seconds = { timeoutSeconds: 300 };

beforeAll(async () => {
  evidence = await mkdtemp(path.join(tmpdir(), 'boot-targets-'));
  lab = await openBootLab({
    mode: 'reservation',
    stateDirectory: path.join(import.meta.dirname, '../../.rekindle'),
    evidence,
    // Without one iPXE shows its menu 15 s later, but for what the service tells it.
    ipv6Router: false,
    boot: `{ menuSeconds: 60, systems: ${otherSystems.replaceAll('\n', ' ')} }`,
  });
  disk = await makeTellTaleDisk(path.join(evidence, 'own-disk.raw'));
  await makePlantSystem(files('plant'), path.join(lab.site.directory, 'runtime', 'vmlinuz'));
  await makeToolsIso(files('tools'));
  const { bootWim, drivers } = await makeWindowsPe(files('winpe'));
  await lab.site.rekindle(
    ...['driver-pack', 'build', lab.station, '--winpe', bootWim, '--drivers', drivers],
    ...['--output', files(`winpe/${ownWim}`)],
  );
  await copyFile(bootWim, files('winpe/boot.wim'));
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  process.stdout.write(`consoles and screens of the other systems: ${evidence}\n`);
});

/** Switches the station on and presses a key in its menu. */
async function choose(cell: BootCellName, key: string): Promise<EmulatedMachine> {
  const machine = await lab.switchOn(cell, { disk, name: `${cell}-key-${key}` });
  await machine.console.waitFor(/Start from the local disk/, seconds);
  const waited = (performance.now() - machine.poweredOnAt) / 1000;
  process.stdout.write(`${cell}: menu after ${waited.toFixed(1)} s, key ${key}\n`);
  await machine.pressKey(key);
  return machine;
}
const inCi = (cells: readonly BootCellName[], others: readonly BootCellName[]) =>
  all ? [...cells, ...others] : cells;

/** Other loaders go the way that they go without a key: f12-rule. */
test.each(inCi([], ['bios-rom']))('%s: L, the local disk', async (cell) => {
  await using machine = await choose(cell, 'l');
  await machine.console.waitFor(new RegExp(tellTale), seconds);
});

test.each(inCi(['bios-rom'], ['bios-pxelinux', 'bios-lpxelinux']))('%s: M, the memory test', async (cell) => {
  await using machine = await choose(cell, 'm');
  const screen = () => machine.textScreen();
  await expect
    .poll(screen, { timeout: 60_000, interval: 500 })
    .toMatch(/Memtest86\+ v\d[\s\S]*Pass[\s\S]*Test/);
  await machine.screenshot(path.join(evidence, `${cell}-memory-test.png`));
});

test.each(inCi([], ['uefi-snponly']))('%s: M, the memory test on a graphic screen', async (cell) => {
  await using machine = await choose(cell, 'm');
  const picture = path.join(evidence, `${cell}-memory-test.ppm`);
  const blue = async () => {
    await machine.screenshot(picture);
    return shareOfColour(picture, [0, 0, 0xaa]);
  };
  await expect.poll(blue, { timeout: 120_000, interval: 1000 }).toBeGreaterThan(0.2);
  expect((await lab.lastBoot()).join('\n')).toContain('gets memtest86+x64.efi of Memory test (memtest86+)');
});

test.each(inCi([], ['bios-rom', 'bios-pxelinux', 'bios-lpxelinux', 'uefi-snponly', 'uefi-secure-boot']))(
  '%s: a kernel of the plant with two initrds and its words',
  async (cell) => {
    await using machine = await choose(cell, '1');
    await machine.console.waitFor(plantSays, seconds);
  },
);

test.each(inCi(['bios-rom'], ['uefi-snponly']))('%s: an ISO image starts as a CD', async (cell) => {
  await using machine = await choose(cell, '2');
  await machine.console.waitFor(isoSays, seconds);
});

/** Names and sizes of what wimboot would be handed. */
const winpeFiles = ['BCD', 'boot.sdi', 'boot.wim'];
test.each(inCi(['bios-rom'], ['bios-undionly']))(
  '%s: Windows PE: what stands in for wimboot gets BCD, boot.sdi and the boot.wim with the drivers',
  async (cell) => {
    await makeWimbootStandIn(files('winpe/wimboot'));
    await using machine = await choose(cell, '3');
    for (const name of winpeFiles) {
      // As wimboot looks for it, with the size of what this station is to get.
      const file = name === 'boot.wim' ? ownWim : name;
      await machine.console.waitFor(await standInSays(name, files(`winpe/${file}`)), seconds);
    }
    await machine.console.waitFor(/no more files/, seconds);
    await expectDelivered();
  },
);

test.each(inCi([], ['uefi-snponly']))(
  '%s: Windows PE: a kernel in wimboot’s place is started behind the same files',
  async (cell) => {
    await copyFile(path.join(lab.site.directory, 'runtime', 'vmlinuz'), files('winpe/wimboot'));
    await using machine = await choose(cell, '3');
    await machine.console.waitFor(/EFI stub/, seconds);
    await expectDelivered();
  },
);

async function expectDelivered(): Promise<void> {
  const got = (await lab.lastBoot()).flatMap(
    (line) => /gets winpe\/winpe\/(\S+) of Windows PE/.exec(line)?.[1] ?? [],
  );
  expect(got).toEqual(['wimboot', 'BCD', 'boot.sdi', ownWim]);
}
