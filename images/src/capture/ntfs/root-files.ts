import {
  applyFixups,
  attributeTypes,
  type FileRecord,
  type FileReference,
  parseReference,
} from './file-record.ts';
import { type NtfsVolume, wellKnownRecords } from './ntfs-volume.ts';

/** The root folder's index: 64 MiB of it are half a million files, which no root folder has. */
const indexLimit = 64 << 20;
/** 8.3 names beside a long one; the long one is in the index as well. */
const dosNamespace = 2;

/**
 * Files of the root folder by name, whatever its case. What a stale index block still lists is left out: the
 * file's own record has to say the same.
 */
export function findRootFiles(volume: NtfsVolume, names: readonly string[]): Map<string, FileRecord> {
  const wanted = new Set(names);
  const found = new Map<string, FileRecord>();
  for (const { name, reference } of rootEntries(volume)) {
    const lower = name.toLowerCase();
    if (!wanted.has(lower) || found.has(lower)) continue;
    const file = volume.readRecord(reference.record);
    if (
      file.inUse &&
      !file.isDirectory &&
      file.sequence === reference.sequence &&
      isInRoot(volume, file, lower)
    )
      found.set(lower, file);
  }
  return found;
}

function isInRoot(volume: NtfsVolume, file: FileRecord, name: string): boolean {
  return volume
    .attributesOf(file, attributeTypes.fileName)
    .some(
      (attribute) =>
        attribute.resident &&
        parseReference(attribute.value, 0).record === wellKnownRecords.root &&
        parseName(attribute.value).name.toLowerCase() === name,
    );
}

function parseName(fileName: Buffer): { name: string; namespace: number } {
  const length = fileName.readUInt8(0x40);
  return { name: fileName.toString('utf16le', 0x42, 0x42 + length * 2), namespace: fileName.readUInt8(0x41) };
}

interface IndexEntry {
  readonly name: string;
  readonly reference: FileReference;
}

function* rootEntries(volume: NtfsVolume): Generator<IndexEntry> {
  const root = volume.readRecord(wellKnownRecords.root);
  if (!root.isDirectory) throw new Error('FILE record 5 is no folder');
  const indexRoot = root.attributes.find(
    ({ type, name }) => type === attributeTypes.indexRoot && name === '$I30',
  );
  if (indexRoot?.resident !== true) throw new Error('the root folder has no index');
  yield* parseEntries(indexRoot.value, 0x10);
  const allocation = volume.runsOf(root, attributeTypes.indexAllocation, '$I30');
  if (allocation === null) return;
  const blockBytes = indexRoot.value.readUInt32LE(8);
  if (blockBytes < 512 || blockBytes > 65_536)
    throw new Error(`the root's index has blocks of ${blockBytes}`);
  const bytes = volume.readRuns(allocation.runs, Math.min(allocation.dataBytes, indexLimit));
  for (let at = 0; at + blockBytes <= bytes.length; at += blockBytes) {
    const block = bytes.subarray(at, at + blockBytes);
    // A block that was never used has no signature.
    if (block.toString('latin1', 0, 4) === 'INDX') yield* parseEntries(applyFixups(block, 'INDX'), 0x18);
  }
}

/** @param headerAt of the index header inside `bytes` */
function* parseEntries(bytes: Buffer, headerAt: number): Generator<IndexEntry> {
  const end = headerAt + bytes.readUInt32LE(headerAt + 4);
  if (end > bytes.length) throw new Error('an index leaves its block');
  for (let at = headerAt + bytes.readUInt32LE(headerAt); ; ) {
    if (at + 16 > end) throw new Error('an index has no last entry');
    const length = bytes.readUInt16LE(at + 8);
    const isLast = (bytes.readUInt16LE(at + 12) & 2) !== 0;
    if (isLast) return;
    if (length < 16 + 0x42 || at + length > end) throw new Error(`an index entry claims ${length} bytes`);
    const { name, namespace } = parseName(bytes.subarray(at + 16, at + length));
    if (namespace !== dosNamespace) yield { name, reference: parseReference(bytes, at) };
    at += length;
  }
}
