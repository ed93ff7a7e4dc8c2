import { describe, expect, test } from 'vitest';
import { RekindleError } from '#base/errors.ts';
import { lineColumns } from '#runtime/console/layout.ts';
import {
  captureScreen,
  doneScreen,
  failureScreen,
  headerScreen,
  imageListScreen,
  menuScreen,
  planScreen,
  type ScreenDisk,
} from '#runtime/console/screens.ts';
import { texts } from '#runtime/console/texts.ts';

const GiB = 2 ** 30;
const MiB = 2 ** 20;
const disk: ScreenDisk = {
  number: 0,
  model: 'INTEL SSDSC2KB240G8',
  serial: 'PHYF1234567890AB',
  wwn: 'naa.55cd2e4150000001',
  sizeBytes: 240 * GiB,
  slot: '0000:00:17.0/ata1',
  recognised: 'recognised by its WWN',
  ranges: [
    { what: 'partition table and boot code', startByte: 0, sizeBytes: MiB, fate: 'overwritten' },
    { what: 'partition 1 "EFI system" (vfat)', startByte: MiB, sizeBytes: 512 * MiB, fate: 'overwritten' },
    { what: 'partition 2 "Windows" (ntfs)', startByte: 513 * MiB, sizeBytes: 120 * GiB, fate: 'overwritten' },
    { what: 'partition 3 "PROJECTS" (ntfs)', startByte: 121 * GiB, sizeBytes: 119 * GiB, fate: 'kept' },
  ],
  warnings: [],
  lost: [],
};

/** The screen as the technician sees it; every line of it fits. */
function screen(lines: readonly string[]): string {
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(lineColumns);
  return `\n${lines.join('\n')}\n`;
}

describe('screens', () => {
  test('header', () => {
    const header = { purpose: 'recovery', server: 'https://10.77.0.1:8443', station: 'OS-SRV-1A' } as const;
    expect(screen(headerScreen(header))).toMatchInlineSnapshot(`
      "

      +-----------------------------------------------------------------------------+
      | Rekindle recovery   OS-SRV-1A                        https://10.77.0.1:8443 |
      +-----------------------------------------------------------------------------+
      "
    `);
    expect(screen(headerScreen({ ...header, station: 'A'.repeat(63) }))).toContain('A'.repeat(40));
  });

  test('images', () => {
    const image = {
      ref: 'OS-SRV-1A@20261120T020000Z',
      capturedAt: '2026-11-20T02:00:00.000Z',
      consistency: 'offline',
      diskBytes: 240 * GiB,
      usedBytes: 61.5 * GiB,
    };
    const older = { ...image, ref: 'OS-SRV-1A@20261020T020000Z', capturedAt: '2026-10-20T02:00:00.000Z' };
    expect(screen(imageListScreen([image, older]))).toMatchInlineSnapshot(`
      "

         captured              consistency  used      of       image
      1  2026-11-20 02:00 UTC  offline      61.5 GiB  240 GiB  20261120T020000Z
      2  2026-10-20 02:00 UTC  offline      61.5 GiB  240 GiB  20261020T020000Z

      "
    `);
  });

  test('plan: a system disk whose data volume survives', () => {
    expect(screen(planScreen([], [disk]))).toMatchInlineSnapshot(`
      "

      Hardware
        The same as when the image was taken.

      Disk 0: INTEL SSDSC2KB240G8, 240 GiB
        serial PHYF1234567890AB, naa.55cd2e4150000001
        0000:00:17.0/ata1, recognised by its WWN
        [#####################################====================================]
        overwrites   partition table and boot code                     1 MiB
                     partition 1 "EFI system" (vfat)                 512 MiB
                     partition 2 "Windows" (ntfs)                    120 GiB
        keeps        partition 3 "PROJECTS" (ntfs)                   119 GiB
        # will be overwritten   = survives   . not in the image

      What is marked # is gone once the restore has started.
      "
    `);
  });

  test('plan: a recovery in a partition of the disk that is overwritten', () => {
    const recovery = { what: 'partition 4 "REKINDLE"', sizeBytes: 2 * GiB };
    const warnings = [texts.overwritesRecovery('OS-SRV-1A', 4)];
    expect(screen(planScreen([], [{ ...disk, lost: [recovery], warnings }]))).toMatchInlineSnapshot(`
      "

      Hardware
        The same as when the image was taken.

      Disk 0: INTEL SSDSC2KB240G8, 240 GiB
        serial PHYF1234567890AB, naa.55cd2e4150000001
        0000:00:17.0/ata1, recognised by its WWN
        [#####################################====================================]
        overwrites   partition table and boot code                     1 MiB
                     partition 1 "EFI system" (vfat)                 512 MiB
                     partition 2 "Windows" (ntfs)                    120 GiB
        keeps        partition 3 "PROJECTS" (ntfs)                   119 GiB
        LOSES        partition 4 "REKINDLE"                            2 GiB
        WARNING: the recovery of OS-SRV-1A that is installed in partition 4 will be
        overwritten. Afterwards put it back, its disk attached to the server:
        rekindle media install OS-SRV-1A --disk DISK --partition 4
        # will be overwritten   = survives   . not in the image

      What is marked # is gone once the restore has started.
      What is listed under LOSES is not in the image: nothing brings it back.
      "
    `);
    const long = texts.overwritesRecovery('A'.repeat(63), 128);
    screen(planScreen([], [{ ...disk, warnings: [long] }]));
  });

  test('plan: a replaced disk', () => {
    const replaced = {
      field: 'disk 0000:00:17.0/ata1',
      severity: 'replaced-part',
      expected: 'serial PHYF1234567890AB',
      found: 'serial PHYF0000000000CD',
      sentence:
        'The disk in 0000:00:17.0/ata1 is another one: serial PHYF0000000000CD instead of PHYF1234567890AB.',
    } as const;
    const { serial: _serial, wwn: _wwn, ...unnamed } = disk;
    const ranges = disk.ranges.map((range) => ({ ...range, fate: 'overwritten' as const }));
    const lines = planScreen([replaced], [{ ...unnamed, recognised: 'new in its place', ranges }]);
    expect(screen(lines)).toMatchInlineSnapshot(`
      "

      Hardware
        replaced part: The disk in 0000:00:17.0/ata1 is another one: serial
        PHYF0000000000CD instead of PHYF1234567890AB.

      Disk 0: INTEL SSDSC2KB240G8, 240 GiB
        no serial number
        0000:00:17.0/ata1, new in its place
        [#########################################################################]
        overwrites   partition table and boot code                     1 MiB
                     partition 1 "EFI system" (vfat)                 512 MiB
                     partition 2 "Windows" (ntfs)                    120 GiB
                     partition 3 "PROJECTS" (ntfs)                   119 GiB
        # will be overwritten   = survives   . not in the image

      What is marked # is gone once the restore has started.
      "
    `);
  });

  test('plan: a partition that the image does not have is named, and what that means', () => {
    const lines = planScreen(
      [],
      [{ ...disk, lost: [{ what: 'partition 4 "ARCHIVE"', sizeBytes: 40 * GiB }] }],
    );
    expect(screen(lines)).toContain(
      '  LOSES        partition 4 "ARCHIVE"                            40 GiB\n',
    );
    expect(lines.at(-1)).toBe('What is listed under LOSES is not in the image: nothing brings it back.');
  });

  test('capture', () => {
    expect(screen(captureScreen([disk]))).toMatchInlineSnapshot(`
      "

      These disks are read. Nothing on them is changed.
      model                serial            size     slot
      INTEL SSDSC2KB240G8  PHYF1234567890AB  240 GiB  0000:00:17.0/ata1

      "
    `);
  });

  test('a failure says what, why, what became of the disks and what to do; the menu follows', () => {
    const error = new RekindleError(
      'target-unfit',
      'planning the restore of disk 0 onto KINGSTON SA400S37120G in 0000:00:17.0/ata1',
      {
        cause: new Error(
          'The disk is too small by 128849018880 bytes: the image uses 240057409536, the disk has 111208390656.',
        ),
        next: 'Use a disk at least as large as the original.',
      },
    );
    expect(screen([...failureScreen(error, false), ...menuScreen()])).toMatchInlineSnapshot(`
      "

      +-----------------------------------------------------------------------------+
      | Stopped (exit code 13)                                                      |
      +-----------------------------------------------------------------------------+
      Planning the restore of disk 0 onto KINGSTON SA400S37120G in 0000:00:17.0/ata1
        because: The disk is too small by 128849018880 bytes: the image uses
                 240057409536, the disk has 111208390656.

      Nothing was written to any disk.
      Next: Use a disk at least as large as the original.

        1  try again
        2  shell
        3  start this machine again
        4  power off

      "
    `);
  });

  test('the end', () => {
    expect(screen(doneScreen('OS-SRV-1A is restored.'))).toMatchInlineSnapshot(`
      "

      +-----------------------------------------------------------------------------+
      | OS-SRV-1A is restored.                                                      |
      +-----------------------------------------------------------------------------+

      "
    `);
  });
});
