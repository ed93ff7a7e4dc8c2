import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type CpioEntry, formatCpio } from '#driver-packs/cpio.ts';
import type { BootLab } from './boot-lab.ts';
import type { BootCellName } from './boot-matrix.ts';
import { runtimeFirstLine } from './boot-rehearsal.ts';

/**
 * What the recovery runtime costs beside the smallest system that the same firmware, loader and kernel can start: an
 * initrd with busybox alone, from the same menu of the same service.
 */

export interface BootRatio {
  /** Power-on to the runtime's first line, and to the bare system's, seconds, one a round. */
  readonly runtimeSeconds: readonly number[];
  readonly bareSeconds: readonly number[];
  /** Median of the rounds' ratios. */
  readonly ratio: number;
}

const bareLine = 'The bare system is up';
const secondsToArrive = 900;

/** YAML of the key `boot` of a lab for `measureBootRatio`. */
export const bareBootConfiguration =
  '{ menuSeconds: 120, systems: [{ name: bare, title: Bare system, kind: linux, kernel: bare/vmlinuz, initrds: [bare/initrd], commandLine: "console=tty0 console=ttyS0,115200 quiet" }] }';

export async function measureBootRatio(lab: BootLab, cell: BootCellName, rounds: number): Promise<BootRatio> {
  await addBareSystem(lab.site.directory);
  const runtimeSeconds: number[] = [];
  const bareSeconds: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bareSeconds.push(await bootTo(lab, cell, '1', new RegExp(bareLine)));
    runtimeSeconds.push(await bootTo(lab, cell, 'r', runtimeFirstLine));
  }
  const ratios = runtimeSeconds.map((seconds, round) => seconds / (bareSeconds[round] ?? Number.NaN));
  return { runtimeSeconds, bareSeconds, ratio: median(ratios) };
}

async function bootTo(lab: BootLab, cell: BootCellName, key: string, line: RegExp): Promise<number> {
  await using machine = await lab.switchOn(cell, { name: `${cell}-${key}` });
  await machine.console.waitFor(/Bare system/, { timeoutSeconds: secondsToArrive });
  await machine.console.type(key);
  await machine.console.waitFor(line, { timeoutSeconds: secondsToArrive });
  return Math.round((performance.now() - machine.poweredOnAt) / 100) / 10;
}

/** The served kernel with an initrd of busybox and three lines of shell. */
async function addBareSystem(site: string): Promise<void> {
  const folder = path.join(site, 'boot', 'bare');
  await mkdir(folder, { recursive: true });
  await copyFile(path.join(site, 'runtime', 'vmlinuz'), path.join(folder, 'vmlinuz'));
  const init = [
    '#!/bin/busybox sh',
    '/bin/busybox mount -t devtmpfs dev /dev',
    `echo "${bareLine}" >/dev/console`,
    'while :; do /bin/busybox sleep 60; done',
    '',
  ].join('\n');
  const entries: CpioEntry[] = [
    { kind: 'directory', path: 'dev' },
    { kind: 'file', path: 'init', mode: 0o755, bytes: Buffer.from(init) },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, bytes: await readFile('/bin/busybox') },
  ];
  await writeFile(path.join(folder, 'initrd'), formatCpio(entries));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
