import { errorChain } from '#base/errors.ts';
import type { ImagedWindows } from '#images/format/image-manifest.ts';
import { examineDisks } from './inspection/examine-disks.ts';
import { hasWindows } from './inspection/inspect-windows.ts';
import { locateWindows } from './inspection/locate-windows.ts';
import type { DiskPath } from './volume/partition-device.ts';

/**
 * What the Windows on a station's disks says about itself, for the manifest of its image. The disks are only read; a
 * Windows that cannot be read costs no image, so why is a value.
 */
export async function readStationWindows(
  disks: readonly (DiskPath & { readonly sectorBytes?: number })[],
): Promise<{ readonly windows?: ImagedWindows; readonly warning?: string }> {
  try {
    const evidence = await examineDisks(disks, disks[0]?.sectorBytes);
    if (!hasWindows(evidence)) return {};
    const located = locateWindows(evidence);
    if (located.kind === 'not-found') return unread(located.why);
    const { facts } = located.windows.installation;
    return facts === null ? unread('its registry cannot be read') : { windows: facts };
  } catch (error) {
    return unread(errorChain(error).join(': '));
  }
}

const unread = (why: string) => ({
  warning: `what Windows says about itself is not in the image's manifest: ${why}`,
});
