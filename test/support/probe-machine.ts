import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { workerEntries } from '#base/worker-threads.ts';
import { buildDriverPack } from '#driver-packs/build-driver-pack.ts';
import { formatCpio } from '#driver-packs/cpio.ts';
import { compressInitrd } from '#driver-packs/initrd-file.ts';
import { demoStationHardware } from '#scripts/rehearsal/demo-station/hardware.ts';
import { type EmulatedMachine, startMachine } from '#scripts/rehearsal/emulated-machine.ts';
import { buildRuntime } from '#scripts/runtime/build-runtime.ts';
import { programFiles, type RuntimeProgram } from '#scripts/runtime/tool-files.ts';
import { somePassport } from './some-passport.ts';

/** A machine without a network whose runtime runs a probe in place of the program. */
export interface ProbeMachine {
  readonly name: string;
  /** Path of the probe's source in the project. */
  readonly entry: string;
  /** Kept until the machine has ended. */
  readonly directory: string;
  /** On the AHCI controller: raw files, with the serial number and WWN that their hardware says. */
  readonly disks: readonly { readonly file: string; readonly serial: string; readonly wwn: bigint }[];
  /** Kernel modules beside those of the controller. */
  readonly modules?: readonly string[];
  /** Debian's programs beside those of the runtime. */
  readonly programs?: readonly RuntimeProgram[];
}

const ahci = { id: '8086:2922', subsystem: '1af4:1100', pciClass: '010601' };

export async function startProbeMachine(probe: ProbeMachine): Promise<EmulatedMachine> {
  const { name, entry, directory, disks, modules = [], programs = [] } = probe;
  const runtime = await buildRuntime({
    cacheDirectory: '.rekindle/cache',
    fast: true,
    entry,
    workers: workerEntries,
  });
  const pack = await buildDriverPack({
    passport: {
      ...somePassport(),
      networkCards: [],
      storageControllers: [{ slot: '0000:00:1f.2', mode: 'ahci', ...ahci }],
      modaliases: [],
    },
    station: name,
    kernel: runtime.kernel,
    also: modules,
    output: path.join(directory, 'pack'),
  });
  const more =
    programs.length === 0 ? [] : [await compressInitrd(formatCpio(await programFiles(programs)), 3)];
  const initrd = path.join(directory, 'initrd');
  await writeFile(
    initrd,
    Buffer.concat([await readFile(runtime.initrd.path), ...more, await readFile(pack.file.path)]),
  );
  return await startMachine({
    name,
    hardware: {
      ...demoStationHardware({ disk: '' }),
      nics: [],
      disks: disks.map((disk) => ({ kind: 'sata', format: 'raw', model: 'REKINDLE LAB DISK', ...disk })),
    },
    firmware: { kind: 'bios' },
    bootFrom: 'disk',
    onReboot: 'stop',
    directory,
    directKernel: {
      kernel: runtime.vmlinuz,
      initrd,
      commandLine: 'console=ttyS0,115200 quiet no_timer_check',
    },
  });
}

/** What the probe said of `what`; fails with what broke it. */
export async function probeSays(machine: EmulatedMachine, what: string) {
  const [, found, value] = await machine.console.waitFor(new RegExp(`probe (${what}|broken) (.*)\\n`), {
    timeoutSeconds: 180,
  });
  if (found !== what) throw new Error(value);
  return JSON.parse(value ?? 'null');
}
