import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { RekindleError } from '#base/errors.ts';
import { missingTool } from '#base/run-tool.ts';
import { chooseAccelerator } from './kvm-probe.ts';
import type { InsertedMedium, MachineFirmware, MachineHardware } from './machine-hardware.ts';
import {
  type Accelerator,
  consoleDescriptor,
  controlDescriptor,
  type DirectKernel,
  nicBootIndex,
  nicDeviceId,
  planQemuArguments,
} from './qemu-arguments.ts';
import { openQmp, type QmpClient } from './qmp-client.ts';
import { openSerialConsole, type SerialConsole } from './serial-console.ts';

export interface MachineStart {
  /** Names the machine in messages and its files in `directory`. */
  readonly name: string;
  readonly hardware: MachineHardware;
  readonly firmware: MachineFirmware;
  /** `network` is the F12 key: it counts for the first boot only, every later one starts from the disk. */
  readonly bootFrom: 'network' | 'disk';
  /** Default `restart`, as a real machine does. */
  readonly onReboot?: 'restart' | 'stop';
  /** Where `<name>-console.txt` (transcript) and `<name>-qemu.log` go. */
  readonly directory: string;
  /** Network namespace with the tap interfaces of the NICs. */
  readonly namespace?: string;
  readonly directKernel?: DirectKernel;
  readonly medium?: InsertedMedium;
}

export interface MachineExit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface EmulatedMachine extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly accelerator: Accelerator;
  readonly console: SerialConsole;
  /** When the machine was switched on, as of performance.now(). */
  readonly poweredOnAt: number;
  readonly exited: Promise<MachineExit>;
  /** Writes the screen as PNG, or as PPM where the name ends so. */
  screenshot(file: string): Promise<void>;
  /** What a PC's text mode shows, 25 lines of 80 characters; nothing of use while it shows graphics. */
  textScreen(): Promise<string>;
  /** Presses a key of its keyboard and lets it go; the name is one of QEMU's QKeyCode: `r`, `ret`, `esc`. */
  pressKey(key: string): Promise<void>;
  /** The power button pressed shortly (ACPI): the operating system decides. */
  powerButton(): Promise<void>;
  /** Resolves when the machine has ended; fails with `verification-failed` after the time. */
  waitForEnd(options: { readonly timeoutSeconds: number }): Promise<MachineExit>;
  /** The plug is pulled, QEMU itself ends in order. */
  powerOff(): Promise<MachineExit>;
  /** SIGKILL: nothing of QEMU runs any more, not even its own flushes. */
  kill(): Promise<MachineExit>;
}

const qemuTool = { command: 'qemu-system-x86_64', debianPackage: 'qemu-system-x86' };

/** Switches a machine on. The caller disposes of it; a machine that still runs then is killed. */
export async function startMachine(start: MachineStart): Promise<EmulatedMachine> {
  const { name, hardware, directory } = start;
  const accelerator = await chooseAccelerator();
  const args = planQemuArguments({
    name,
    hardware,
    firmware: start.firmware,
    accelerator,
    bootFirst: start.bootFrom,
    onReboot: start.onReboot ?? 'restart',
    ...(start.directKernel === undefined ? {} : { directKernel: start.directKernel }),
    ...(start.medium === undefined ? {} : { medium: start.medium }),
  });
  await mkdir(directory, { recursive: true });
  const log = path.join(directory, `${name}-qemu.log`);
  const qemu = spawnQemu(args, start.namespace);
  const exited = exitOf(qemu, name);
  qemu.stderr?.pipe(createWriteStream(log));

  const serialConsole = openSerialConsole(
    socketOf(qemu, consoleDescriptor),
    path.join(directory, `${name}-console.txt`),
    name,
  );
  const opening = openQmp(socketOf(qemu, controlDescriptor), name);
  opening.catch(() => undefined);
  const qmp = await Promise.race([opening, exited.then(() => startFailure(name, log))]);
  const { pid } = qemu;
  if (pid === undefined) throw new RekindleError('unexpected', `QEMU of ${name} has no process id`);

  await qmp.execute('cont');
  const poweredOnAt = performance.now();
  if (start.bootFrom === 'network' && start.onReboot !== 'stop') {
    // A change is visible at once: the firmware must have made its choice of this boot before.
    await serialConsole.waitFor(firmwareChoseBootDevice, { timeoutSeconds: firmwareSeconds });
    await letDisksGoFirst(qmp, hardware);
  }

  const kill = (): Promise<MachineExit> => {
    qemu.kill('SIGKILL');
    return exited;
  };
  return {
    name,
    pid,
    accelerator,
    console: serialConsole,
    poweredOnAt,
    exited,
    screenshot: async (file) => {
      const format = file.endsWith('.ppm') ? 'ppm' : 'png';
      await qmp.execute('screendump', { filename: path.resolve(file), format });
    },
    textScreen: async () => {
      const file = path.resolve(directory, `${name}-text-screen`);
      await qmp.execute('pmemsave', { val: textMemory, size: 2 * textColumns * textLines, filename: file });
      return textOfScreen(await readFile(file));
    },
    pressKey: async (key) => {
      await qmp.execute('send-key', { keys: [{ type: 'qcode', data: key }] });
    },
    powerButton: async () => {
      await qmp.execute('system_powerdown');
    },
    waitForEnd: ({ timeoutSeconds }) => withinTime(exited, timeoutSeconds, name),
    powerOff: async () => {
      await qmp.execute('quit');
      return exited;
    },
    kill,
    [Symbol.asyncDispose]: async () => {
      await kill();
    },
  };
}

/** SeaBIOS, then OVMF: its serial line drops characters on a busy host, so any of its three lines will do. */
const firmwareChoseBootDevice = /Booting from |BdsDxe: (loading|starting) |Start PXE over|NBP file/;
const firmwareSeconds = 120;

/** Takes the F12 key back: the firmware finds the NICs behind the disks when it starts again. */
async function letDisksGoFirst(qmp: QmpClient, hardware: MachineHardware): Promise<void> {
  for (const index of hardware.nics.keys()) {
    await qmp.execute('qom-set', {
      path: `/machine/peripheral/${nicDeviceId(index)}`,
      property: 'bootindex',
      value: nicBootIndex(index, 'disk'),
    });
  }
}

/** VGA's text mode: a character and its colours, two bytes a place. */
const textMemory = 0xb8000;
const [textColumns, textLines] = [80, 25];

function textOfScreen(memory: Buffer): string {
  const characters = Buffer.from(memory.filter((_, at) => at % 2 === 0)).toString('latin1');
  return Array.from({ length: textLines }, (_, line) =>
    characters.slice(line * textColumns, (line + 1) * textColumns).trimEnd(),
  ).join('\n');
}

function spawnQemu(args: readonly string[], namespace: string | undefined): ChildProcess {
  const command =
    namespace === undefined
      ? [qemuTool.command, ...args]
      : ['ip', 'netns', 'exec', namespace, qemuTool.command, ...args];
  const [program = '', ...rest] = command;
  // 3 and 4 are socket pairs: QEMU's control channel and the machine's serial line.
  return spawn(program, rest, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
}

function socketOf(qemu: ChildProcess, descriptor: number): Duplex {
  // Node types extra descriptors one-way; a 'pipe' is a socket pair and carries both ways.
  return qemu.stdio[descriptor] as unknown as Duplex;
}

async function exitOf(qemu: ChildProcess, name: string): Promise<MachineExit> {
  try {
    const [status, signal] = (await once(qemu, 'exit')) as [number | null, NodeJS.Signals | null];
    return { status, signal };
  } catch (error) {
    throw missingTool(`the emulated machine ${name}`, qemuTool, error);
  }
}

async function startFailure(name: string, log: string): Promise<never> {
  const reason = (await readFile(log, 'utf8').catch(() => '')).trim();
  throw new RekindleError('unexpected', `QEMU did not start the machine ${name}`, {
    cause: new Error(reason === '' ? 'it ended without a message' : reason),
  });
}

async function withinTime(
  exited: Promise<MachineExit>,
  timeoutSeconds: number,
  name: string,
): Promise<MachineExit> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new RekindleError('verification-failed', `${name} still runs after ${timeoutSeconds} s`)),
      timeoutSeconds * 1000,
    );
  });
  try {
    return await Promise.race([exited, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
