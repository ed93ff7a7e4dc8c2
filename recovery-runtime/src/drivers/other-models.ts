import type { PackManifest } from '#driver-packs/pack-manifest.ts';
import type { DeviceWithoutDriver } from './devices-without-driver.ts';

/** A device that nothing drives, in a slot where the station has another one. */
export interface OtherModel extends DeviceWithoutDriver {
  /** vendor:device that the pack was built for. */
  readonly expectedId: string;
}

/**
 * A machine whose boot card is of another model never gets as far as the service, so this is all that can be
 * compared: what the station's pack was built for, with what is there instead. Pure.
 */
export function findOtherModels(
  covers: PackManifest['covers'],
  withoutDriver: readonly DeviceWithoutDriver[],
): OtherModel[] {
  return withoutDriver.flatMap((device) => {
    const inSlot = covers.filter(({ slot }) => slot === device.slot);
    const [expected] = inSlot;
    if (expected === undefined || inSlot.some(({ id }) => id === device.id)) return [];
    return [{ ...device, expectedId: expected.id }];
  });
}

export function formatOtherModel({ slot, id, className, expectedId }: OtherModel): string {
  return `In slot ${slot} is ${id} (${className}) instead of ${expectedId}, which this station's driver pack was built for: another model.`;
}
