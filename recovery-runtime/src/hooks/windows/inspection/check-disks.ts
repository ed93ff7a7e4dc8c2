import type { DiskEvidence, Evidence, VolumeEvidence } from './evidence.ts';
import { type Finding, fatal, right, unknown, warning } from './finding.ts';

/** Partition tables and volumes, whatever is in them. Pure. */
export function checkDisks({ disks }: Evidence): Finding[] {
  return disks.flatMap((disk) => [
    ...checkTable(disk),
    ...disk.volumes.flatMap((volume) => checkVolume(disk, volume)),
  ]);
}

function checkTable({ disk, table, gpt, sizeBytes, sectorBytes }: DiskEvidence): Finding[] {
  const on = disk.path;
  if (table.kind === 'none')
    return [fatal('partition-table', `${on} has no readable partition table: ${table.reason}.`)];
  if (gpt === null)
    return [right('partition-table', `${on} has an MBR with ${table.partitions.length} partitions.`)];
  const findings = [
    gpt.primary.valid
      ? right('gpt-primary', `The primary GPT of ${on} and its entries have the right CRCs.`)
      : fatal('gpt-primary', `The primary GPT of ${on} cannot be used: ${gpt.primary.reason}.`),
    gpt.backup.valid
      ? right('gpt-backup', `The backup GPT of ${on} is whole and at the end of the disk.`)
      : warning('gpt-backup', `The backup GPT of ${on} is not at the end of the disk: ${gpt.backup.reason}.`),
  ];
  const lastLba = Math.floor(sizeBytes / sectorBytes) - 1;
  if (gpt.primary.valid && gpt.backup.valid) {
    const linked = gpt.primary.header.alternateLba === lastLba && gpt.backup.header.alternateLba === 1;
    const same = Buffer.compare(gpt.primary.entryArray, gpt.backup.entryArray) === 0;
    findings.push(
      linked && same
        ? right('gpt-copies', `Both copies of the GPT of ${on} say the same and point at each other.`)
        : warning(
            'gpt-copies',
            `The copies of the GPT of ${on} do not ${same ? 'point at each other' : 'say the same'}.`,
          ),
    );
  }
  return findings;
}

function checkVolume(disk: DiskEvidence, volume: VolumeEvidence): Finding[] {
  const { partition, bootSector, condition } = volume;
  const it = `Partition ${partition.number} of ${disk.disk.path}`;
  if (bootSector.kind === 'bitlocker') {
    const sentence = `${it} is encrypted with BitLocker: nothing in it can be looked at, and it starts only on hardware that has its key.`;
    return [unknown('bitlocker', sentence)];
  }
  if (bootSector.kind === 'other')
    return volume.notOpened === null
      ? []
      : [warning('volume', `${it} cannot be looked at: ${volume.notOpened}.`)];

  const findings: Finding[] = [];
  const startSector = partition.startByte / bootSector.sectorBytes;
  findings.push(
    bootSector.hiddenSectors === startSector
      ? right(
          'ntfs-hidden-sectors',
          `${it}: its boot sector says that it starts at sector ${startSector}, as it does.`,
        )
      : fatal(
          'ntfs-hidden-sectors',
          `${it}: its boot sector says that it starts at sector ${bootSector.hiddenSectors}; it starts at ${startSector}, and does not boot by BIOS.`,
        ),
  );
  // The last sector of the partition is the backup of the boot sector.
  const room = partition.sizeBytes / bootSector.sectorBytes - 1;
  findings.push(
    bootSector.sectors <= BigInt(room)
      ? right('ntfs-size', `${it}: its NTFS fits into it.`)
      : fatal(
          'ntfs-size',
          `${it}: its NTFS has ${bootSector.sectors} sectors, the partition has room for ${room}.`,
        ),
  );
  findings.push(checkCondition(it, condition));
  if (volume.notOpened !== null)
    findings.push(warning('volume', `${it} cannot be looked at: ${volume.notOpened}.`));
  return findings;
}

function checkCondition(it: string, condition: VolumeEvidence['condition']): Finding {
  switch (condition) {
    case 'clean':
      return right('ntfs-state', `${it}: its NTFS was left cleanly.`);
    case 'log-to-replay':
      return warning(
        'ntfs-state',
        `${it}: its NTFS log is still to be replayed, which Windows does at its start.`,
      );
    case 'dirty':
      return warning(
        'ntfs-state',
        `${it} is marked dirty: Windows checks it at its start, which can take long.`,
      );
    case 'hibernated':
      return fatal(
        'ntfs-state',
        `${it}: Windows is hibernated in it. It would wake up with disks in mind that are not these.`,
      );
    case null:
      return unknown('ntfs-state', `${it}: its NTFS was not looked at.`);
    default:
      return fatal('ntfs-state', `${it}: its NTFS is damaged: ${condition.unreadable}.`);
  }
}
