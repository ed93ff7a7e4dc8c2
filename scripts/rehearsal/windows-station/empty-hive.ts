import { baseBlockBytes, sealBaseBlock } from '#runtime/hooks/windows/hive/base-block.ts';
import { lockedDescriptor } from '#runtime/hooks/windows/volume/locked-folder.ts';

const binBytes = 4096;
const binHeaderBytes = 32;
const none = 0xffffffff;

/** A registry hive with nothing but its root key, written from the format's description. */
export function emptyHive(): Buffer {
  const hive = Buffer.alloc(baseBlockBytes + binBytes);
  hive.write('regf', 0, 'latin1');
  hive.writeUInt32LE(1, 20);
  hive.writeUInt32LE(5, 24);
  hive.writeUInt32LE(1, 32);
  hive.writeUInt32LE(binHeaderBytes, 36);
  hive.writeUInt32LE(1, 44);

  const bin = hive.subarray(baseBlockBytes);
  bin.write('hbin', 0, 'latin1');
  bin.writeUInt32LE(binBytes, 8);
  const security = securityCell();
  const root = rootCell(binHeaderBytes + rootCellBytes);
  root.copy(bin, binHeaderBytes);
  const securityAt = binHeaderBytes + root.length;
  security.writeUInt32LE(securityAt, 8);
  security.writeUInt32LE(securityAt, 12);
  security.copy(bin, securityAt);
  const freeAt = securityAt + security.length;
  bin.writeInt32LE(binBytes - freeAt, freeAt);
  sealBaseBlock(hive, { sequence: 1, hiveBinsBytes: binBytes });
  return hive;
}

const rootName = 'ROOT';
const rootCellBytes = alignTo8(4 + 76 + rootName.length);

function rootCell(securityAt: number): Buffer {
  const cell = Buffer.alloc(rootCellBytes);
  cell.writeInt32LE(-rootCellBytes, 0);
  const key = cell.subarray(4);
  key.write('nk', 0, 'latin1');
  // Root of a hive, not to be deleted, name in Latin-1.
  key.writeUInt16LE(0x2c, 2);
  key.writeUInt32LE(none, 16);
  key.writeUInt32LE(none, 28);
  key.writeUInt32LE(none, 32);
  key.writeUInt32LE(none, 40);
  key.writeUInt32LE(securityAt, 44);
  key.writeUInt32LE(none, 48);
  key.writeUInt16LE(rootName.length, 72);
  key.write(rootName, 76, 'latin1');
  return cell;
}

/** The only security descriptor: its list links to itself. */
function securityCell(): Buffer {
  const cell = Buffer.alloc(alignTo8(4 + 20 + lockedDescriptor.length));
  cell.writeInt32LE(-cell.length, 0);
  cell.write('sk', 4, 'latin1');
  cell.writeUInt32LE(1, 16);
  cell.writeUInt32LE(lockedDescriptor.length, 20);
  lockedDescriptor.copy(cell, 24);
  return cell;
}

function alignTo8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}
