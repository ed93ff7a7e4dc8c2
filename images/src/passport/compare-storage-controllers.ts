import type { Difference } from './difference.ts';
import type { StorageController } from './hardware-passport.ts';

const modeNames: Readonly<Record<StorageController['mode'], string>> = {
  ahci: 'AHCI',
  raid: 'RAID',
  nvme: 'NVMe',
  ide: 'IDE',
  sas: 'SAS',
  scsi: 'SCSI',
  virtio: 'virtio',
  other: 'another mode',
};

/** Modes that firmware set-up chooses for one and the same chip; its ids change with them. */
const switchable: readonly StorageController['mode'][] = ['ahci', 'raid', 'ide'];

/**
 * Storage controllers, slot by slot. The installed system starts only from the controller and mode that it
 * has a boot driver for, so both are fatal; one more controller harms nothing.
 */
export function compareStorageControllers(
  expected: readonly StorageController[],
  found: readonly StorageController[],
): Difference[] {
  const differences = expected.flatMap((controller): Difference[] => {
    const { slot } = controller;
    const other = found.find((candidate) => candidate.slot === slot);
    const fatal = (sentence: string): Difference[] => [
      {
        field: `storage controller ${slot}`,
        severity: 'fatal',
        expected: describe(controller),
        found: other === undefined ? 'no controller' : describe(other),
        sentence,
      },
    ];
    if (other === undefined)
      return fatal(`Storage controller ${describe(controller)} is missing in slot ${slot}.`);
    if (
      other.mode !== controller.mode &&
      [other, controller].every(({ mode }) => switchable.includes(mode))
    ) {
      return fatal(
        `The storage controller in slot ${slot} runs in ${modeNames[other.mode]} mode, the station's system was installed in ${modeNames[controller.mode]} mode and would not start: set SATA mode to ${modeNames[controller.mode]} in firmware set-up.`,
      );
    }
    if (other.id !== controller.id || other.mode !== controller.mode) {
      return fatal(
        `In slot ${slot} is storage controller ${describe(other)} instead of ${describe(controller)}: the restored system has no boot driver for it.`,
      );
    }
    return [];
  });
  const extra = found
    .filter(({ slot }) => !expected.some((controller) => controller.slot === slot))
    .map(
      (controller): Difference => ({
        field: `storage controller ${controller.slot}`,
        severity: 'note',
        expected: 'no controller',
        found: describe(controller),
        sentence: `Storage controller ${describe(controller)} in slot ${controller.slot} is new; its disks are not touched.`,
      }),
    );
  return [...differences, ...extra];
}

function describe({ id, mode }: StorageController): string {
  return `${id} (${modeNames[mode]})`;
}
