import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Accelerator } from './qemu-arguments.ts';

const probeSeconds = 5;
const exitPort = 0xf4;
const exitValue = 0x10;
/** QEMU's isa-debug-exit ends with (value << 1) | 1. */
const exitStatus = (exitValue << 1) | 1;

/** mov al, value; out port, al; hlt; jmp $-1; then the boot signature. */
function probeBootSector(): Buffer {
  const sector = Buffer.alloc(512);
  sector.set([0xb0, exitValue, 0xe6, exitPort, 0xf4, 0xeb, 0xfd]);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

let chosen: Promise<Accelerator> | undefined;

/**
 * `kvm` only where a real guest has run under it. A device that opens proves nothing: on some hosts KVM aborts
 * at the first register or hangs in the firmware. Asked once a process; a hanging KVM costs five seconds.
 */
export function chooseAccelerator(): Promise<Accelerator> {
  chosen ??= existsSync('/dev/kvm') ? probeKvm() : Promise.resolve('tcg');
  return chosen;
}

async function probeKvm(): Promise<Accelerator> {
  const directory = await mkdtemp(path.join(tmpdir(), 'rekindle-kvm-'));
  try {
    const sector = path.join(directory, 'boot-sector');
    await writeFile(sector, probeBootSector());
    return (await guestRuns(sector)) ? 'kvm' : 'tcg';
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The guest ends QEMU by itself from its first instructions; any other end means that KVM is no use here. */
function guestRuns(bootSector: string): Promise<boolean> {
  return new Promise((resolve) => {
    const qemu = spawn(
      'qemu-system-x86_64',
      [
        ...['-no-user-config', '-nodefaults', '-display', 'none', '-no-reboot'],
        ...['-machine', 'q35', '-accel', 'kvm', '-cpu', 'host', '-m', '32'],
        ...['-drive', `if=ide,format=raw,snapshot=on,file=${bootSector}`],
        ...['-device', `isa-debug-exit,iobase=${exitPort},iosize=1`],
      ],
      { stdio: 'ignore' },
    );
    const timer = setTimeout(() => qemu.kill('SIGKILL'), probeSeconds * 1000);
    const answer = (runs: boolean): void => {
      clearTimeout(timer);
      resolve(runs);
    };
    qemu.once('exit', (status) => answer(status === exitStatus));
    // A missing QEMU is reported, with its package, by whoever starts the machine.
    qemu.once('error', () => answer(false));
  });
}
