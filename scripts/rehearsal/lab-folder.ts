import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';

/** Disks, site and firmware variables of one lab; gone with it. */
export interface LabFolder extends AsyncDisposable {
  readonly path: string;
}

/** A new folder below the state folder. Labs of other processes stay; what a killed one or an earlier version left goes. */
export async function openLabFolder(stateDirectory: string): Promise<LabFolder> {
  await mkdir(stateDirectory, { recursive: true });
  for (const name of await readdir(stateDirectory)) {
    const owner = ownerOfLabFolder(name);
    const isLeft = owner === undefined ? nameOfEarlierVersion.test(name) : !existsSync(`/proc/${owner}`);
    if (!isLeft) continue;
    await rm(path.join(stateDirectory, name), { recursive: true, force: true });
  }
  const folder = await mkdtemp(path.join(stateDirectory, `lab-${process.pid}-`));
  return { path: folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** One for each kind of machine or DHCP mode, kept and used again. */
const nameOfEarlierVersion = /^(lab-(bios|uefi)|boot-lab-(proxy|reservation))$/;

/** Process id of the lab's owner; undefined for other names. */
export function ownerOfLabFolder(name: string): number | undefined {
  const owner = /^lab-(\d+)-\w+$/.exec(name)?.[1];
  return owner === undefined ? undefined : Number(owner);
}
