import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import { loadDriverPack } from './drivers/load-driver-pack.ts';
import { efivarsFolder, readBootVariables, writeBootEntry, writeBootOrder } from './firmware/efivars.ts';
import type { FirstBootFile } from './first-boot/stage-first-boot.ts';
import { openRestoredSystem } from './hooks/open-restored-system.ts';
import { takeInventory } from './inventory/inventory.ts';
import { openMedium } from './medium/open-medium.ts';
import { readSignedTicket } from './medium/station-ticket.ts';
import { bringUpBootCard } from './network/bring-up.ts';
import { mountShare } from './shares/mount-share.ts';
import { uptimeSeconds } from './uptime.ts';
import type { FirmwareBootEntries, Machine } from './workflow-machine.ts';

/** The machine that this program runs on: the only place that knows where Linux and our initrd keep things. */

const siteFolder = '/rekindle/site';
/** Where the runtime's builder puts what restored systems get; its busybox is the runtime's own. */
const firstBootFile = (file: FirstBootFile): string =>
  file === 'linux/busybox' ? '/bin/busybox' : `/rekindle/first-boot/${file}`;
/** Read by init (recovery-runtime/src/init/init) when this program ended well. */
const nextFile = '/run/rekindle/next';

export const linuxMachine: Machine = {
  now: () => new Date(),
  uptimeSeconds,
  async readSiteKeys() {
    return { ca: await readSiteFile('ca.pem'), imageSigner: await readSiteFile('image-signer.pub') };
  },
  readTicket: () => readSignedTicket(),
  openMedium,
  loadDrivers: ({ imageSigner }) => loadDriverPack({ signer: parsePublicKey(imageSigner) }),
  bringUpBootCard,
  takeInventory: () => takeInventory(),
  mountShare,
  openRestoredSystem,
  readFirstBootFile: (file) => readFile(firstBootFile(file)),
  get bootEntries() {
    return existsSync('/sys/firmware/efi') ? firmwareBootEntries : undefined;
  },
  runShell,
  restart: () => writeFile(nextFile, 'reboot\n'),
  powerOff: () => writeFile(nextFile, 'poweroff\n'),
};

/** The same machine, declared to pose as a station in a rehearsal: its passport says so, and its report. */
export function asStandIn(machine: Machine): Machine {
  return {
    ...machine,
    bootEntries: machine.bootEntries,
    takeInventory: () => {
      // Bit 31 of CPUID leaf 1: no processor has it set, every hypervisor sets it.
      if (!/^flags\s*:.* hypervisor( |$)/m.test(readFileSync('/proc/cpuinfo', 'utf8'))) {
        throw new RekindleError('hardware-not-identical', 'starting a rehearsal: this is real hardware', {
          cause: new Error('a stand-in has to be a virtual machine'),
          next: 'Start this machine without rekindle.stand-in.',
        });
      }
      return takeInventory({ standIn: true });
    },
  };
}

const firmwareBootEntries: FirmwareBootEntries = {
  read: () => readBootVariables(efivarsFolder),
  writeEntry: (entry) => writeBootEntry(efivarsFolder, entry),
  writeOrder: (order) => writeBootOrder(efivarsFolder, order),
};

async function readSiteFile(name: string): Promise<string> {
  const path = `${siteFolder}/${name}`;
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new RekindleError('usage', `reading ${path}, which this runtime was to bring along`, {
      cause,
      next: 'Build the runtime again for this site (rekindle runtime build), then boot again.',
    });
  }
}

/** A shell of its own session on one console, so that Ctrl-C there stays there. */
function runShell(console: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fd = openSync(console, 'r+');
    const shell = spawn('busybox', ['setsid', '-c', 'sh', '-c', 'stty sane; exec sh -i'], {
      stdio: [fd, fd, fd],
      cwd: '/',
    });
    shell.on('error', reject);
    shell.on('exit', () => resolve());
    shell.on('close', () => closeSync(fd));
  });
}
