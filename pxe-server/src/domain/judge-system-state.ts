import { formatBytes } from '#base/bytes.ts';
import type { PlanLine } from '#contract/hook-result.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import type { SystemStateManifest } from '#images/format/system-state-manifest.ts';
import { roomForFiles, totalBytes } from '#images/format/system-state-room.ts';

/** May this system state of the store bring the controller of this image back? Pure. */

export interface SystemStateFacts {
  /** Its signature is right, and it is that of its own folder. */
  readonly manifest: SystemStateManifest;
  /** Files that the store lacks, or has in another size. */
  readonly missing: readonly string[];
  readonly image: Pick<ImageManifest, 'computerName' | 'capturedAt' | 'disks'>;
  /** D: */
  readonly drive: string;
  readonly tombstoneLifetimeDays: number;
  readonly now: Date;
}

export type SystemStateVerdict =
  | { readonly kind: 'refused'; readonly why: string; readonly next: string }
  | { readonly kind: 'usable'; readonly lines: readonly PlanLine[] };

const dayMs = 86_400_000;
/** From then on updates and programs of the time between are more than likely. */
const farApartDays = 30;

export function judgeSystemState(facts: SystemStateFacts): SystemStateVerdict {
  const { manifest, missing, image, tombstoneLifetimeDays, now } = facts;
  const refused = (why: string, next: string): SystemStateVerdict => ({ kind: 'refused', why, next });
  const state = `The system state of ${manifest.takenAt} in the store`;
  const [first] = missing;
  if (first !== undefined) {
    return refused(
      `${state} is not whole: ${first}${missing.length > 1 ? ` and ${missing.length - 1} more` : ''}`,
      'Add the backup again (rekindle system-state add), or name another one in the hook plan (systemState.version).',
    );
  }
  if (manifest.computerName.toUpperCase() !== image.computerName.toUpperCase()) {
    return refused(
      `${state} is one of ${manifest.computerName}, and the image is one of ${image.computerName}`,
      `Add a system state of ${image.computerName} (rekindle system-state add).`,
    );
  }
  const ageDays = Math.floor((now.getTime() - Date.parse(manifest.takenAt)) / dayMs);
  if (ageDays >= tombstoneLifetimeDays) {
    return refused(
      `${state} is ${ageDays} days old, and the forest forgets deleted objects after ${tombstoneLifetimeDays}: it would bring them back (lingering objects)`,
      'Add a newer one (rekindle system-state add), or remove its metadata and install a new controller.',
    );
  }
  const room = judgeRoom(facts);
  return room.kind === 'refused'
    ? room
    : { kind: 'usable', lines: [...usableLines(facts, ageDays), ...room.lines] };
}

function usableLines({ manifest, image, drive }: SystemStateFacts, ageDays: number): PlanLine[] {
  const { takenAt, version, files } = manifest;
  const apartDays = Math.round((Date.parse(image.capturedAt) - Date.parse(takenAt)) / dayMs);
  const size = formatBytes(totalBytes(files));
  return [
    {
      kind: 'change',
      sentence: `The system state of ${version} UTC (${ageDays} days old, ${size}, its signature is right) is copied from the store to ${drive} before it starts.`,
    },
    ...(Math.abs(apartDays) <= farApartDays
      ? []
      : [
          {
            kind: 'warning',
            sentence: `The system state is ${Math.abs(apartDays)} days ${apartDays > 0 ? 'older' : 'newer'} than the image: registry and system files will be of another time than the rest of its disk.`,
          } as const,
        ]),
    ...(drive === 'C:' ? [systemVolumeLine] : []),
  ];
}

const systemVolumeLine: PlanLine = {
  kind: 'warning',
  sentence:
    'C: is usually the volume of Windows itself, which wbadmin restores to; that it reads its backup from there was never tried. Another drive is safer.',
};

/** Which volume has the letter, only the registry in the image knows; that none is large enough can be seen before. */
function judgeRoom({ manifest, image, drive }: SystemStateFacts): SystemStateVerdict {
  const needed = roomForFiles(manifest.files);
  const volumes = image.disks
    .flatMap((disk) => disk.volumes)
    .filter(({ fileSystem }) => fileSystem === 'ntfs');
  const free = volumes
    .filter(({ capturedAs }) => capturedAs === 'used-blocks')
    .map(({ sizeBytes, usedBytes = sizeBytes }) => sizeBytes - usedBytes);
  const most = Math.max(0, ...free);
  if (most >= needed) return { kind: 'usable', lines: [] };
  if (free.length < volumes.length) {
    const sentence = `How much room ${drive} has is seen only when the system state is copied: ${formatBytes(needed)} are needed.`;
    return { kind: 'usable', lines: [{ kind: 'warning', sentence }] };
  }
  return {
    kind: 'refused',
    why: `No NTFS volume of the image has room for the system state: ${formatBytes(needed)} are needed, the most that one has is ${formatBytes(most)}`,
    next: 'Put the backup onto a drive that is plugged into the station before its first start, and set `systemState: { from: backup, … }` with its letter.',
  };
}
