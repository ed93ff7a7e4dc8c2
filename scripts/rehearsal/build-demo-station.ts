import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import { installBootLoaders } from './demo-station/boot-loader-installation.ts';
import { writeDiskImage } from './demo-station/disk-image.ts';
import { hashInputs } from './demo-station/input-hash.ts';
import {
  type DemoPartition,
  type DemoPartitionName,
  planDemoPartitions,
} from './demo-station/partition-layout.ts';
import { type KnownFile, writeProjectsContent } from './demo-station/projects-content.ts';
import { installRootFileSystem, readDebianSuite } from './demo-station/root-file-system.ts';

/** A healthy station that nobody has booted yet. Its files are never written: machines run on copies. */
export interface DemoStation {
  readonly hostname: string;
  /** Raw disk image, sparse. */
  readonly disk: string;
  /** UEFI variables after the installation, with the boot entry `debian`. */
  readonly variableStore: string;
  readonly partitions: Readonly<Record<DemoPartitionName, DemoPartition>>;
  /** Content of PROJECTS; `content.sha256` in its root lists the same. */
  readonly projects: readonly KnownFile[];
}

export interface DemoStationRequest {
  /** State folder; the station goes to `demo-station/<hash of its inputs>` below it. */
  readonly directory: string;
  readonly hostname?: string;
  readonly onProgress?: (sentence: string) => void;
}

const sources = path.join(import.meta.dirname, 'demo-station');
const hashDigits = 16;

/**
 * The demo station, built when its inputs have changed (about two minutes under emulation; needs root), else
 * the one that is there. A build that ends early leaves nothing that looks finished.
 */
export async function buildDemoStation(request: DemoStationRequest): Promise<DemoStation> {
  const { hostname = 'OS-SRV-1A', onProgress = () => undefined } = request;
  const suite = await readDebianSuite();
  const hash = (await hashInputs([sources], [suite, hostname])).slice(0, hashDigits);
  const stations = path.join(path.resolve(request.directory), 'demo-station');
  const finished = path.join(stations, hash);
  if (!existsSync(finished)) {
    await build({ stations, hash, suite, hostname, onProgress });
    await removeOthers(stations, hash);
  }
  return readDemoStation(finished, hostname);
}

interface Build {
  readonly stations: string;
  readonly hash: string;
  readonly suite: string;
  readonly hostname: string;
  readonly onProgress: (sentence: string) => void;
}

async function build({ stations, hash, suite, hostname, onProgress }: Build): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new RekindleError('usage', 'building the demo station needs root', {
      next: 'Run the command as root or with sudo.',
    });
  }
  const directory = path.join(stations, `${hash}.building-${process.pid}`);
  const system = path.join(directory, 'system');
  await mkdir(directory, { recursive: true });
  try {
    onProgress(`installing Debian ${suite} as ${hostname}`);
    const root = await installRootFileSystem({
      suite,
      hostname,
      files: path.join(sources, 'files'),
      directory: system,
    });
    onProgress('writing its disk');
    const disk = diskOf(directory);
    await writeDiskImage(disk, root.directory);
    const projects = await packProjects(directory);
    onProgress('starting it once to install its boot loaders and fill PROJECTS');
    await installBootLoaders({
      disk,
      variableStore: variableStoreOf(directory),
      projectsArchive: projects.archive,
      system: root,
      directory,
    });
    await writeFile(contentListOf(directory), `${JSON.stringify(projects.files, null, 2)}\n`);
    await Promise.all(
      [system, `${system}-files.tar`, `${system}-apt-preferences`, projects.directory, projects.archive].map(
        (scrap) => rm(scrap, { recursive: true }),
      ),
    );
    await rename(directory, path.join(stations, hash));
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    // Somebody else built the same one meanwhile.
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) return;
    throw error;
  }
}

async function packProjects(building: string) {
  const directory = path.join(building, 'projects');
  const archive = `${directory}.tar`;
  const files = await writeProjectsContent(directory);
  await runTool(`packing ${directory}`, { command: 'tar', debianPackage: 'tar' }, [
    ...['--create', `--file=${archive}`, `--directory=${directory}`, '--sort=name', '--mtime=@0', '.'],
  ]);
  return { directory, archive, files };
}

async function readDemoStation(directory: string, hostname: string): Promise<DemoStation> {
  return {
    hostname,
    disk: diskOf(directory),
    variableStore: variableStoreOf(directory),
    partitions: planDemoPartitions(),
    projects: JSON.parse(await readFile(contentListOf(directory), 'utf8')) as KnownFile[],
  };
}

const diskOf = (directory: string): string => path.join(directory, 'disk.raw');
const variableStoreOf = (directory: string): string => path.join(directory, 'uefi-variables.fd');
const contentListOf = (directory: string): string => path.join(directory, 'projects.json');

/** Stations of older inputs; one that is being built by another process stays. */
async function removeOthers(stations: string, hash: string): Promise<void> {
  const others = (await readdir(stations)).filter((name) => name !== hash && !name.includes('.building-'));
  await Promise.all(others.map((name) => rm(path.join(stations, name), { recursive: true })));
}

export interface DemoStationCopy {
  readonly disk: string;
  readonly variableStore: string;
}

/** Copies disk (sparse) and UEFI variables to `directory`, to be run on. */
export async function copyDemoStation(station: DemoStation, directory: string): Promise<DemoStationCopy> {
  const copy = { disk: diskOf(directory), variableStore: variableStoreOf(directory) };
  await mkdir(directory, { recursive: true });
  await runTool(`copying ${station.disk}`, { command: 'cp', debianPackage: 'coreutils' }, [
    ...['--sparse=always', '--reflink=auto', station.disk, copy.disk],
  ]);
  await runTool(`copying ${station.variableStore}`, { command: 'cp', debianPackage: 'coreutils' }, [
    ...[station.variableStore, copy.variableStore],
  ]);
  return copy;
}

/**
 * The line with which the station says that a person could log on; group 1 is the boot counter. The prompt of
 * getty may have come first, and ends without a line break.
 */
export function logOnMarker(hostname: string): RegExp {
  return new RegExp(
    `^(?:${hostname} login: )?REKINDLE-DEMO-STATION name=${hostname} boots=(\\d+) ready$`,
    'm',
  );
}
