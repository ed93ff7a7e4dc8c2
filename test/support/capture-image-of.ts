import { type CapturedImage, type CaptureImageOptions, captureImage } from '#images/capture/capture-image.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { generateKeyPair, type SecretKey } from '#images/format/minisign.ts';
import type { PassportDisk } from '#images/passport/hardware-passport.ts';
import { somePassport } from './some-passport.ts';

export const captureStation = stationNameSchema.parse('OS-SRV-1A');
export const captureKey: SecretKey = generateKeyPair();

export function somePassportDisk(sizeBytes: number, more: Partial<PassportDisk> = {}): PassportDisk {
  return {
    slot: '0000:00:1f.2/ata1',
    model: 'EXAMPLE SSD',
    serial: 'SSD-0001',
    sizeBytes,
    logicalSectorBytes: 512,
    physicalSectorBytes: 4096,
    removable: false,
    ...more,
  };
}

/** The image of disk files or devices, with everything else a test does not care about. */
export function captureImageOf(
  store: string,
  disks: CaptureImageOptions['disks'],
  more: Partial<CaptureImageOptions> = {},
): Promise<CapturedImage> {
  return captureImage({
    store,
    disks,
    station: captureStation,
    signingKey: captureKey,
    computerName: 'OS-SRV-1A',
    stationRole: 'server',
    consistency: 'offline',
    tools: {},
    passport: { ...somePassport(), disks: disks.map(({ passportDisk }) => passportDisk) },
    ...more,
  });
}
