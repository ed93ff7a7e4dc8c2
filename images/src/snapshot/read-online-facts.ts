import fs from 'node:fs';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';
import { mountsOfDisk } from '../block-device/mounts-of-disk.ts';
import { parsePhysicalVolumes, parseSegments, pvFields, segmentFields } from './lvm-report.ts';
import type { OnlineFacts, Place } from './online-facts.ts';

export const lvm = { command: 'lvm', debianPackage: 'lvm2' };
const reportOptions = ['--reportformat', 'json', '--units', 'b', '--nosuffix'];

/** Reads, and changes nothing. */
export async function readOnlineFacts(disk: string): Promise<OnlineFacts> {
  const doing = `asking LVM about ${disk}`;
  const physical = await runTool(doing, lvm, ['pvs', ...reportOptions, '-o', pvFields]);
  const segments = parseSegments(
    await runTool(doing, lvm, ['lvs', '--all', '--segments', ...reportOptions, '-o', segmentFields]),
  );
  const places = placesOf(disk);
  const known = [...places.map(({ device }) => device), ...segments.map(({ device }) => device)];
  /** One device has many names; ours is the one that LVM and the partition table use. */
  const nameOf = (device: string): string => known.find((each) => sameDevice(each, device)) ?? device;
  const used = mountsOfDisk(disk).map((mount) => ({ ...mount, device: nameOf(mount.device) }));
  return {
    disk: { path: disk, sizeBytes: sizeOf(disk) },
    places,
    mounts: used.filter(({ mountPoint }) => mountPoint !== 'swap'),
    swaps: used.filter(({ mountPoint }) => mountPoint === 'swap').map(({ device }) => device),
    physicalVolumes: parsePhysicalVolumes(physical),
    segments,
  };
}

function placesOf(disk: string): Place[] {
  const name = path.basename(fs.realpathSync(disk));
  const folder = `/sys/class/block/${name}`;
  const partitions = fs
    .readdirSync(folder)
    .filter((each) => fs.existsSync(path.join(folder, each, 'partition')))
    .map((each) => ({
      device: `/dev/${each}`,
      startByte: readNumber(path.join(folder, each, 'start')) * 512,
      sizeBytes: readNumber(path.join(folder, each, 'size')) * 512,
    }));
  return partitions.length > 0 ? partitions : [{ device: disk, startByte: 0, sizeBytes: sizeOf(disk) }];
}

const sizeOf = (disk: string): number =>
  readNumber(`/sys/class/block/${path.basename(fs.realpathSync(disk))}/size`) * 512;
const readNumber = (file: string): number => Number(fs.readFileSync(file, 'utf8'));

function sameDevice(one: string, other: string): boolean {
  const [left, right] = [one, other].map((each) => fs.statSync(each, { throwIfNoEntry: false }));
  return left?.isBlockDevice() === true && right?.isBlockDevice() === true && left.rdev === right.rdev;
}
