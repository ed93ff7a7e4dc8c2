import { realpath } from 'node:fs/promises';
import type { StationTicket } from '#contract/station-ticket.ts';
import type { ByteRange } from '#images/format/chunk-grid.ts';
import { readBlockDevices } from '../block/block-devices.ts';
import { readNumber } from '../inventory/sysfs.ts';
import type { OpenMedium } from './open-medium.ts';

/** The partition of a disk of this station that the runtime was started from. */
export interface OwnDiskMedium {
  /** Path of the disk, e.g. /dev/sda. */
  readonly disk: string;
  /** Of the partition in sysfs, e.g. sda2. */
  readonly device: string;
  readonly number: number;
  readonly range: ByteRange;
}

const sectorUnit = 512;

/** Nothing for a medium that is not declared to be on the own disk: such a one is never a target. */
export async function findOwnDiskMedium(
  ticket: Pick<StationTicket, 'onOwnDisk'> | undefined,
  medium: Pick<OpenMedium, 'device'> | undefined,
): Promise<OwnDiskMedium | undefined> {
  if (ticket?.onOwnDisk !== true || medium === undefined) return undefined;
  const name = (await realpath(medium.device)).slice('/dev/'.length).replaceAll('/', '!');
  const found = (await readBlockDevices({ root: '/' })).find((device) => device.name === name);
  const read = (attribute: string) => readNumber({ root: '/' }, `sys/class/block/${name}/${attribute}`);
  const [number, start, size] = [await read('partition'), await read('start'), await read('size')];
  if (found?.disk === undefined || number === undefined || start === undefined || size === undefined)
    return undefined;
  return {
    disk: `/dev/${found.disk.replaceAll('!', '/')}`,
    device: name,
    number,
    range: { startByte: start * sectorUnit, sizeBytes: size * sectorUnit },
  };
}
