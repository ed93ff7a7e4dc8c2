import * as z from 'zod';
import { sha256HexSchema, stationNameSchema } from '#images/format/image-manifest.ts';
import { hardwarePassportSchema } from '#images/passport/hardware-passport.ts';

/** Files are copied by these names, from partitions that anybody may have written: none leads out of a folder. */
const pathOnMedium = z
  .string()
  .refine(
    (path) => path.split('/').every((part) => !['', '.', '..'].includes(part)),
    'a path below the root of the medium, without . and ..',
  );

/**
 * What makes a recovery medium that of one station. It is signed with the site's key, lies on the medium and
 * in the initramfs that boots from it, and holds nothing secret: whoever finds the medium can start the
 * runtime on the station, and needs a technician's password for everything else.
 */
export const stationTicketSchema = z.strictObject({
  formatVersion: z.literal(1),
  station: stationNameSchema,
  /** The registered passport of that time: on another machine the medium stops. */
  passport: hardwarePassportSchema,
  builtAt: z.iso.datetime(),
  kernel: z.string(),
  /**
   * UUID of the medium's file system as blkid writes it, how the runtime finds what it booted from: of ISO 9660
   * (`2026-11-23-04-36-00-00`), or the volume number of FAT (`1A2B-3C4D`).
   */
  fileSystemUuid: z.string().regex(/^(\d{4}(-\d\d){6}|[0-9A-F]{4}-[0-9A-F]{4})$/),
  /**
   * It lies in a partition of the station's own disk: that disk may be restored around it. Any other medium is never
   * a target.
   */
  onOwnDisk: z.literal(true).optional(),
  /**
   * The image in `mediumStore`, for a restore without a network. Whoever has the medium may restore it on this
   * station, and can read it: nobody logs on without the service.
   */
  image: z.strictObject({ ref: z.string(), manifestSha256: sha256HexSchema }).optional(),
  /**
   * Every file of the medium but this ticket, its signature, the archive that carries both, the BIOS loader, into
   * which the ISO writer puts where it lies, and the image, which brings signature and hashes of its own.
   */
  files: z.array(
    z.strictObject({
      path: pathOnMedium,
      bytes: z.int().nonnegative(),
      sha256: sha256HexSchema,
    }),
  ),
});
export type StationTicket = z.infer<typeof stationTicketSchema>;

/** On the medium. */
export const ticketFile = 'rekindle/ticket.json';
/** On the medium: an image store that holds the ticket's image and no other. */
export const mediumStore = 'rekindle/store';
/** On a medium that can be written: where reports of restores without the service are kept. */
export const mediumReports = 'rekindle/reports';
/** In the initramfs, with the signature beside it (`.minisig`). */
export const ticketInitramfsFile = 'rekindle/medium/ticket.json';
