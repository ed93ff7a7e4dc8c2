import { RekindleError } from '#base/errors.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import { texts, titles } from '../console/texts.ts';
import type { Confirmed } from '../engine/confirmed.ts';
import { writingStep } from '../engine/step.ts';
import { planBootEntries } from '../firmware/boot-entries.ts';
import type { FirmwareBootEntries } from '../workflow-machine.ts';

/** Puts the image's own boot entry first in the firmware, and proves it by reading it back. */
export const repairBootEntries = writingStep<
  {
    readonly confirmed: Confirmed;
    readonly manifest: ImageManifest;
    readonly firmware: FirmwareBootEntries | undefined;
  },
  void
>({
  id: 'repair-boot-entries',
  title: titles['repair-boot-entries'],
  async run({ manifest, firmware }) {
    if (firmware === undefined) return { value: undefined, sentence: texts.noUefi, skipped: true };
    const wanted = { entries: manifest.firmware.bootEntries, order: manifest.firmware.bootOrder };
    const partitionGuids = new Set(
      manifest.disks.flatMap(({ volumes }) => volumes.map(({ partitionGuid }) => partitionGuid ?? '')),
    );
    const plan = planBootEntries(await firmware.read(), wanted, partitionGuids);
    const [first] = plan.own;
    if (first === undefined) return { value: undefined, sentence: texts.noBootEntry, skipped: true };

    for (const entry of plan.write) await firmware.writeEntry(entry);
    if (plan.changesOrder) await firmware.writeOrder(plan.order);

    const after = planBootEntries(await firmware.read(), wanted, partitionGuids);
    if (after.write.length > 0 || after.changesOrder) {
      throw new RekindleError('verification-failed', `reading back the boot entry "${first.label}"`, {
        cause: new Error('the firmware took it, but does not have it as it was written'),
        next: 'The disk is restored. Choose it as first boot device in the firmware set-up.',
      });
    }
    const sentence = plan.write.some(({ number }) => number === first.number)
      ? texts.bootEntryWritten(first.label, first.number)
      : texts.bootEntryRight(first.label);
    return { value: undefined, sentence };
  },
});
