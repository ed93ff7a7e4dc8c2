import * as z from 'zod';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { hardwarePassportSchema } from '#images/passport/hardware-passport.ts';

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
  /** UUID of the ISO 9660 file system (`2026-11-23-04-36-00-00`): how the runtime finds what it booted from. */
  fileSystemUuid: z.string().regex(/^\d{4}(-\d\d){6}$/),
  /**
   * Every file of the medium but this ticket, its signature, the archive that carries both, and the BIOS
   * loader, into which the ISO writer puts where it lies.
   */
  files: z.array(
    z.strictObject({
      path: z.string(),
      bytes: z.int().nonnegative(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});
export type StationTicket = z.infer<typeof stationTicketSchema>;

/** On the medium. */
export const ticketFile = 'rekindle/ticket.json';
/** In the initramfs, with the signature beside it (`.minisig`). */
export const ticketInitramfsFile = 'rekindle/medium/ticket.json';
