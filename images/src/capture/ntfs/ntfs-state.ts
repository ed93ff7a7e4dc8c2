import { type ByteRange, endOf } from '../../format/chunk-grid.ts';
import type { VolumeState } from '../volume-state.ts';
import { attributeTypes, type FileRecord } from './file-record.ts';
import { isLogFileClean } from './log-file.ts';
import { type NtfsVolume, openNtfs, type ReadVolume, wellKnownRecords } from './ntfs-volume.ts';
import { findRootFiles } from './root-files.ts';

const hibernationFile = 'hiberfil.sys';
const pageFiles = ['pagefile.sys', 'swapfile.sys'];
const volumeIsDirty = 1;

/** What an NTFS volume says about itself before a capture. @throws Error: it is not understood */
export function readNtfsState(read: ReadVolume, sizeBytes: number): VolumeState {
  const volume = openNtfs(read, sizeBytes);
  const files = findRootFiles(volume, [hibernationFile, ...pageFiles]);
  const hiberfil = files.get(hibernationFile);
  const hibernation = hiberfil === undefined ? 'nothing' : readHibernation(volume, hiberfil);
  const worthless = [...files].filter(([name]) => name !== hibernationFile || hibernation === 'nothing');
  return {
    hibernated: hibernation === 'running',
    unsound: unsoundBecause[conditionOf(volume, hibernation)],
    worthless: worthless.flatMap(([name, file]) => {
      const ranges = rangesOf(volume, file);
      return ranges.length === 0 ? [] : [{ name, ranges }];
    }),
  };
}

/** How an NTFS volume was left; the first that is true. */
export type NtfsCondition = 'clean' | 'hibernated' | 'dirty' | 'log-to-replay';

const unsoundBecause: Readonly<Record<NtfsCondition, string | undefined>> = {
  clean: undefined,
  hibernated: 'Windows is hibernated in it',
  dirty: 'it is marked dirty: Windows is going to check it',
  'log-to-replay': 'it was not left cleanly: its log is still to be replayed',
};

/** Whether it may be written to, or has to be looked after first. @throws Error: it is not understood */
export function readNtfsCondition(read: ReadVolume, sizeBytes: number): NtfsCondition {
  const volume = openNtfs(read, sizeBytes);
  const hiberfil = findRootFiles(volume, [hibernationFile]).get(hibernationFile);
  return conditionOf(volume, hiberfil === undefined ? 'nothing' : readHibernation(volume, hiberfil));
}

function conditionOf(volume: NtfsVolume, hibernation: Hibernation): NtfsCondition {
  if (hibernation === 'running') return 'hibernated';
  const information = volume
    .readRecord(wellKnownRecords.volume)
    .attributes.find(({ type }) => type === attributeTypes.volumeInformation);
  if (information?.resident !== true) throw new Error('it has no volume information');
  if ((information.value.readUInt16LE(10) & volumeIsDirty) !== 0) return 'dirty';
  const log = volume.runsOf(volume.readRecord(wellKnownRecords.logFile), attributeTypes.data);
  if (log === null) throw new Error('it has no log');
  return isLogFileClean(volume.readRuns(log.runs, 8192)) ? 'clean' : 'log-to-replay';
}

/**
 * hiberfil.sys begins with a signature: `hibr` while a session is kept in it (Fast Startup keeps one too), `wake`
 * after it was resumed, zeros when there never was one. Anything else is kept, since nobody knows what it is.
 */
type Hibernation = 'running' | 'nothing' | 'unknown';

function readHibernation(volume: NtfsVolume, file: FileRecord): Hibernation {
  const data = volume.runsOf(file, attributeTypes.data);
  if (data === null || data.runs.length === 0) return 'nothing';
  const start = volume.readRuns(data.runs, 4096);
  const signature = start.toString('latin1', 0, 4).toLowerCase();
  if (signature === 'hibr') return 'running';
  return signature === 'wake' || start.every((byte) => byte === 0) ? 'nothing' : 'unknown';
}

/** Where a file's clusters are; none for one that is compressed, sparse or encrypted, which page files never are. */
function rangesOf(volume: NtfsVolume, file: FileRecord): ByteRange[] {
  const data = volume.runsOf(file, attributeTypes.data);
  if (data === null || data.flags !== 0) return [];
  const ranges = data.runs.flatMap(({ lcn, clusters }) =>
    lcn === null ? [] : [{ startByte: lcn * volume.clusterBytes, sizeBytes: clusters * volume.clusterBytes }],
  );
  const sorted = ranges.toSorted((a, b) => a.startByte - b.startByte);
  for (const [number, range] of sorted.entries()) {
    const before = sorted[number - 1];
    if (before !== undefined && range.startByte < endOf(before))
      throw new Error(`two runs of FILE record ${file.number} share a cluster`);
  }
  return sorted;
}
