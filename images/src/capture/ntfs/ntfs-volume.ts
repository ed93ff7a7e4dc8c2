import {
  type Attribute,
  attributeTypes,
  type FileRecord,
  parseFileRecord,
  parseReference,
  readNumber,
} from './file-record.ts';
import { type ClusterRun, parseMappingPairs } from './mapping-pairs.ts';

/**
 * Read-only NTFS, as much as a capture has to know: which clusters a file has. Layout as in the Linux-NTFS
 * project's documentation and ntfs-3g's layout.h. Everything that is not as it has to be throws; a capture then
 * reads the volume whole.
 */
export interface NtfsVolume {
  readonly clusterBytes: number;
  readonly clusters: number;
  readRecord(number: number): FileRecord;
  /** Attributes of a type, and their parts, from all records that the file has. */
  attributesOf(file: FileRecord, type: number, name?: string): Attribute[];
  /** Every run of an attribute; null: resident or not there. */
  runsOf(file: FileRecord, type: number, name?: string): AttributeRuns | null;
  readRuns(runs: readonly ClusterRun[], limitBytes: number): Buffer;
}

export interface AttributeRuns {
  readonly runs: readonly ClusterRun[];
  readonly flags: number;
  readonly dataBytes: number;
}

/** From the volume's start; exactly `length` bytes. */
export type ReadVolume = (offset: number, length: number) => Uint8Array;

export const wellKnownRecords = { mft: 0, logFile: 2, volume: 3, root: 5 } as const;

/** A list of attributes is some KiB for the most fragmented file. */
const attributeListLimit = 256 << 10;

export function openNtfs(read: ReadVolume, sizeBytes: number): NtfsVolume {
  const boot = Buffer.from(read(0, 512));
  if (boot.toString('latin1', 3, 11) !== 'NTFS    ') throw new Error('it has no NTFS boot sector');
  const sectorBytes = boot.readUInt16LE(0x0b);
  const perCluster = boot.readUInt8(0x0d);
  const clusterBytes = sectorBytes * (perCluster <= 0x80 ? perCluster : 2 ** (256 - perCluster));
  const perRecord = boot.readInt8(0x40);
  const recordBytes = perRecord > 0 ? perRecord * clusterBytes : 2 ** -perRecord;
  const volumeBytes = readNumber(boot, 0x28) * sectorBytes;
  const plausible =
    isPowerOfTwo(clusterBytes, 512, 2 << 20) &&
    isPowerOfTwo(recordBytes, 512, 65_536) &&
    volumeBytes <= sizeBytes;
  if (!plausible) throw new Error(`its boot sector claims clusters of ${clusterBytes} bytes`);
  const clusters = Math.floor(volumeBytes / clusterBytes);

  const assertOnVolume = ({ lcn, clusters: count }: ClusterRun): void => {
    if (lcn !== null && lcn + count > clusters)
      throw new Error(`a run ends at cluster ${lcn + count}, the volume has ${clusters}`);
  };
  const readAtByte = (runs: readonly ClusterRun[], offset: number, length: number): Buffer => {
    const parts: Buffer[] = [];
    for (let at = offset; at < offset + length; ) {
      const run = runs.find(
        ({ vcn, clusters: count }) => at >= vcn * clusterBytes && at < (vcn + count) * clusterBytes,
      );
      if (run === undefined || run.lcn === null) throw new Error(`byte ${at} of a file lies in no cluster`);
      const within = at - run.vcn * clusterBytes;
      const count = Math.min(offset + length - at, run.clusters * clusterBytes - within);
      parts.push(Buffer.from(read(run.lcn * clusterBytes + within, count)));
      at += count;
    }
    return Buffer.concat(parts);
  };

  const partsOf = (record: FileRecord, type: number, name: string): Attribute[] =>
    record.attributes.filter((attribute) => attribute.type === type && attribute.name === name);
  const decode = (parts: readonly Attribute[]): AttributeRuns | null => {
    const stored = parts
      .flatMap((part) => (part.resident ? [] : [part]))
      .sort((a, b) => a.lowestVcn - b.lowestVcn);
    const [first] = stored;
    if (first === undefined) return null;
    const runs: ClusterRun[] = [];
    let vcn = 0;
    for (const part of stored) {
      if (part.lowestVcn !== vcn) throw new Error(`a part of an attribute is missing at cluster ${vcn}`);
      const own = parseMappingPairs(part.mappingPairs, vcn);
      for (const run of own) assertOnVolume(run);
      runs.push(...own);
      vcn += own.reduce((sum, run) => sum + run.clusters, 0);
    }
    if (vcn * clusterBytes !== first.allocatedBytes)
      throw new Error(`an attribute of ${first.allocatedBytes} bytes has ${vcn} clusters`);
    return { runs, flags: first.flags, dataBytes: first.dataBytes };
  };

  // The MFT's own record says where the MFT is; its parts elsewhere are found through the first one.
  const mftRecord = parseFileRecord(read(readNumber(boot, 0x30) * clusterBytes, recordBytes), 0);
  let mft: readonly ClusterRun[] = partsOf(mftRecord, attributeTypes.data, '').flatMap((part) =>
    part.resident || part.lowestVcn !== 0 ? [] : parseMappingPairs(part.mappingPairs, 0),
  );
  for (const run of mft) assertOnVolume(run);

  const volume: NtfsVolume = {
    clusterBytes,
    clusters,
    readRecord: (number) => parseFileRecord(readAtByte(mft, number * recordBytes, recordBytes), number),
    attributesOf(file, type, name = '') {
      const own = partsOf(file, type, name);
      const list = file.attributes.find((attribute) => attribute.type === attributeTypes.attributeList);
      if (list === undefined) return own;
      const value = list.resident ? list.value : listValue(list);
      const elsewhere = [...parseAttributeList(value)]
        .filter((entry) => entry.type === type && entry.name === name && entry.record !== file.number)
        .map(({ record }) => record);
      const extensions = [...new Set(elsewhere)].map((record) => {
        const extension = volume.readRecord(record);
        if (!extension.inUse || extension.baseRecord !== file.number)
          throw new Error(`FILE record ${record} does not extend ${file.number}`);
        return extension;
      });
      return [...own, ...extensions.flatMap((extension) => partsOf(extension, type, name))];
    },
    runsOf: (file, type, name) => decode(volume.attributesOf(file, type, name)),
    readRuns(runs, limitBytes) {
      const bytes = runs.reduce((sum, run) => sum + run.clusters, 0) * clusterBytes;
      return readAtByte(runs, 0, Math.min(bytes, limitBytes));
    },
  };
  function listValue(list: Attribute & { resident: false }): Buffer {
    if (list.dataBytes > attributeListLimit)
      throw new Error(`a list of ${list.dataBytes} bytes of attributes`);
    return readAtByte(parseMappingPairs(list.mappingPairs, 0), 0, list.dataBytes);
  }
  mft = volume.runsOf(mftRecord, attributeTypes.data)?.runs ?? mft;
  return volume;
}

function* parseAttributeList(value: Buffer): Generator<{ type: number; name: string; record: number }> {
  for (let at = 0; at + 26 <= value.length; ) {
    const length = value.readUInt16LE(at + 4);
    if (length < 26 || at + length > value.length) throw new Error('a list of attributes is damaged');
    const nameAt = at + value.readUInt8(at + 7);
    yield {
      type: value.readUInt32LE(at),
      name: value.toString('utf16le', nameAt, nameAt + value.readUInt8(at + 6) * 2),
      record: parseReference(value, at + 16).record,
    };
    at += length;
  }
}

const isPowerOfTwo = (value: number, from: number, to: number): boolean =>
  value >= from && value <= to && Number.isInteger(Math.log2(value));
