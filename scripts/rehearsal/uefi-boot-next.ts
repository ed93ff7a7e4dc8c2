import { readFile, writeFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import type { Partition } from '#images/format/partition-table/partition-table.ts';
import { findFreeSpace } from './uefi-boot-order.ts';

/**
 * What `efibootmgr --create --bootnext` leaves in a file of UEFI variables: an entry for a loader on a disk, and the
 * firmware's order to start it once.
 */
export async function bootOnceFrom(
  file: string,
  { description, partition, loader }: { description: string; partition: Partition; loader: string },
): Promise<void> {
  const store = await readFile(file);
  const number = 0x0042;
  const option = formatDiskOption(description, partition, loader);
  const next = Buffer.alloc(2);
  next.writeUInt16LE(number);
  const added = Buffer.concat([formatVariable('Boot0042', option), formatVariable('BootNext', next)]);
  const at = findFreeSpace(store);
  if (!store.subarray(at, at + added.length).every((byte) => byte === 0xff))
    throw new RekindleError('unexpected', `${file} has no room for two more variables`);
  added.copy(store, at);
  await writeFile(file, store);
}

/** EFI_LOAD_OPTION with a short-form path: the partition by its GUID, and the file (UEFI 2.10, 3.1.3 and 10.3.5). */
function formatDiskOption(description: string, partition: Partition, loader: string): Buffer {
  const sectorBytes = 512n;
  const drive = Buffer.alloc(42);
  drive.set([4, 1, 42, 0]);
  drive.writeUInt32LE(partition.number, 4);
  drive.writeBigUInt64LE(BigInt(partition.startByte) / sectorBytes, 8);
  drive.writeBigUInt64LE(BigInt(partition.sizeBytes) / sectorBytes, 16);
  parseGuid(partition.partitionGuid ?? '').copy(drive, 24);
  drive.set([2, 2], 40);
  const path = Buffer.from(`${loader}\0`, 'utf16le');
  const file = Buffer.concat([Buffer.from([4, 4, path.length + 4, 0]), path]);
  const nodes = Buffer.concat([drive, file, Buffer.from([0x7f, 0xff, 4, 0])]);
  const head = Buffer.alloc(6);
  head.writeUInt32LE(1);
  head.writeUInt16LE(nodes.length, 4);
  return Buffer.concat([head, Buffer.from(`${description}\0`, 'utf16le'), nodes]);
}

/** One of the firmware's own variables, kept over a restart (VariableFormat.h, AUTHENTICATED_VARIABLE_HEADER). */
function formatVariable(name: string, data: Buffer): Buffer {
  const header = Buffer.alloc(60);
  header.writeUInt16LE(0x55aa, 0);
  header[2] = 0x3f;
  header.writeUInt32LE(7, 4);
  const text = Buffer.from(`${name}\0`, 'utf16le');
  header.writeUInt32LE(text.length, 36);
  header.writeUInt32LE(data.length, 40);
  parseGuid('8be4df61-93ca-11d2-aa0d-00e098032b8c').copy(header, 44);
  const whole = Buffer.concat([header, text, data]);
  return Buffer.concat([whole, Buffer.alloc((4 - (whole.length % 4)) % 4, 0xff)]);
}

/** The first three fields are little-endian (appendix A). */
function parseGuid(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
