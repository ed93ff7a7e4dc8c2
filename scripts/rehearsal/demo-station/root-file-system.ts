import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import {
  aptPreferences,
  dpkgOptions,
  maskedGenerators,
  maskedUnits,
  systemPackages,
} from './system-packages.ts';

const mmdebstrap = { command: 'mmdebstrap', debianPackage: 'mmdebstrap' };
const tar = { command: 'tar', debianPackage: 'tar' };

export interface RootFileSystem {
  readonly directory: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** Debian's code name of this machine: the station is of the same release. */
export async function readDebianSuite(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8');
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (suite === undefined) {
    throw new RekindleError('usage', '/etc/os-release names no Debian release', {
      next: 'Run this on Debian 12 or newer.',
    });
  }
  return suite;
}

export interface RootFileSystemRequest {
  readonly suite: string;
  readonly hostname: string;
  /** Folder whose content is laid over the new system. */
  readonly files: string;
  /** Must not exist yet. */
  readonly directory: string;
}

/** Installs Debian into a directory, by its own package manager; needs root. */
export async function installRootFileSystem(request: RootFileSystemRequest): Promise<RootFileSystem> {
  const { suite, directory, hostname } = request;
  const archive = `${directory}-files.tar`;
  const preferences = `${directory}-apt-preferences`;
  await packFiles(request.files, archive);
  await writeFile(preferences, aptPreferences);
  await runTool(`installing Debian ${suite} into ${directory}`, mmdebstrap, [
    ...['--variant=minbase', '--format=directory', '--mode=root', '--quiet'],
    ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
    '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr',
    `--setup-hook=upload "${preferences}" /etc/apt/preferences.d/demo-station`,
    `--include=${systemPackages.join(',')}`,
    // Before the kernel is installed: its initramfs is made once, with our settings.
    `--essential-hook=tar-in "${archive}" /`,
    '--customize-hook=chroot "$1" systemctl enable --quiet systemd-networkd.service demo-log-on.service',
    `--customize-hook=chroot "$1" systemctl mask --quiet ${maskedUnits.join(' ')}`,
    `--customize-hook=cd "$1/etc/systemd" && mkdir -p system-generators && for name in ${maskedGenerators.join(' ')}; do ln -s /dev/null system-generators/$name; done`,
    '--customize-hook=rm -f "$1/usr/lib/udev/hwdb.bin"',
    suite,
    directory,
  ]);
  await writeIdentity(directory, hostname);
  const boot = path.join(directory, 'boot');
  const [kernel, initrd] = await Promise.all([newestOf(boot, 'vmlinuz-'), newestOf(boot, 'initrd.img-')]);
  return { directory, kernel, initrd };
}

/** Owner and mode do not depend on who checked the repository out. */
async function packFiles(files: string, archive: string): Promise<void> {
  await runTool(`packing ${files}`, tar, [
    ...['--create', `--file=${archive}`, `--directory=${files}`],
    ...['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'],
    '.',
  ]);
}

async function writeIdentity(directory: string, hostname: string): Promise<void> {
  const write = (file: string, text: string): Promise<void> => writeFile(path.join(directory, file), text);
  await write('etc/hostname', `${hostname}\n`);
  await write('etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n`);
  // mmdebstrap leaves the name servers of the building machine here.
  await write('etc/resolv.conf', '');
  // Without an id systemd would take every boot until then for the first one.
  await write('etc/machine-id', '52454b494e444c450000000000000001\n');
  await mkdir(path.join(directory, 'var/lib/demo-station'), { recursive: true });
  await write('var/lib/demo-station/boots', '0\n');
  for (const mountPoint of ['boot/efi', 'srv/projects']) {
    await mkdir(path.join(directory, mountPoint), { recursive: true });
  }
}

async function newestOf(directory: string, prefix: string): Promise<string> {
  const name = (await readdir(directory))
    .filter((entry) => entry.startsWith(prefix))
    .sort()
    .at(-1);
  if (name === undefined) {
    throw new RekindleError('unexpected', `the installed system has no ${prefix}* in ${directory}`);
  }
  return path.join(directory, name);
}
