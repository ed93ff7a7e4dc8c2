import { statSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { openDisk } from '#images/block-device/disk-handle.ts';
import type { SourceDisk } from '#images/capture/match-passport-disk.ts';
import { readDisks } from '#runtime/inventory/disks.ts';

/** `/dev/sdb`, `disk.raw`, or either with `,SERIAL`. */
export async function parseSource(text: string): Promise<SourceDisk> {
  const at = text.lastIndexOf(',');
  const isPath = at === -1 || statSync(text, { throwIfNoEntry: false }) !== undefined;
  const path = isPath ? text : text.slice(0, at);
  const disk = openDisk(path);
  disk.close();
  const device = disk.isBlockDevice ? await realpath(path) : undefined;
  const identity = (await readDisks({ root: '/' })).find(({ devicePath }) => devicePath === device);
  const { serial, wwn } = identity?.passportDisk ?? {};
  return {
    path,
    sizeBytes: disk.sizeBytes,
    ...(serial === undefined ? {} : { serial }),
    ...(wwn === undefined ? {} : { wwn }),
    ...(isPath ? {} : { named: text.slice(at + 1) }),
  };
}
