import { RekindleError } from '#base/errors.ts';
import { startMachine } from '../emulated-machine.ts';
import { openUefiFirmware } from '../uefi-firmware.ts';
import { demoStationHardware } from './hardware.ts';
import type { RootFileSystem } from './root-file-system.ts';

const installationSeconds = 600;
const endSeconds = 60;

export interface BootLoaderInstallation {
  readonly disk: string;
  /** Made by this: the UEFI variables with the boot entry `debian`. */
  readonly variableStore: string;
  /** tar file with the content of PROJECTS. */
  readonly projectsArchive: string;
  readonly system: RootFileSystem;
  readonly directory: string;
}

/**
 * Starts the new system once on its own disk, in a UEFI machine, where it installs GRUB for both kinds of
 * firmware with Debian's tools (files/usr/local/sbin/install-boot-loaders) and fills PROJECTS.
 */
export async function installBootLoaders(installation: BootLoaderInstallation): Promise<void> {
  const { disk, projectsArchive, system, directory } = installation;
  const hardware = demoStationHardware({ disk });
  await using machine = await startMachine({
    name: 'installation',
    hardware: {
      ...hardware,
      nics: [],
      disks: [
        ...hardware.disks,
        { kind: 'virtio', file: projectsArchive, format: 'raw', serial: 'PROJECTS-CONTENT' },
      ],
    },
    firmware: await openUefiFirmware(installation.variableStore),
    bootFrom: 'disk',
    onReboot: 'stop',
    directory,
    directKernel: {
      kernel: system.kernel,
      initrd: system.initrd,
      commandLine:
        'console=ttyS0 quiet panic=-1 root=LABEL=SYSTEM ro init=/usr/local/sbin/install-boot-loaders',
    },
  });
  const [line] = await machine.console.waitFor(/INSTALLATION-(DONE|FAILED.*)|Kernel panic.*/, {
    timeoutSeconds: installationSeconds,
  });
  if (line !== 'INSTALLATION-DONE') {
    throw new RekindleError('unexpected', "the demo station's boot loaders could not be installed", {
      cause: new Error(`the console said: ${machine.console.text().slice(-2000)}`),
    });
  }
  await machine.waitForEnd({ timeoutSeconds: endSeconds });
}
