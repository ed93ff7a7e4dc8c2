import * as z from 'zod';

/** `manifest.json` of an image (images/README.md, "Manifest"). Signed as the exact bytes of the file. */

export const stationNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/,
    'a station name is letters, digits and hyphens, at most 63',
  )
  .brand<'StationName'>();
export type StationName = z.infer<typeof stationNameSchema>;

export const sha256HexSchema = z.string().regex(/^[0-9a-f]{64}$/);
/** A plain name in the image's folder: never a path. */
const fileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'a file name without folders');
const guid = z.string().regex(/^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/);

export const volumeSchema = z.strictObject({
  /** Slot in the partition table, from 1. */
  number: z.int().positive(),
  startByte: z.int().nonnegative(),
  sizeBytes: z.int().positive(),
  /** GPT partition type GUID, or MBR type as two hex digits. */
  partitionType: z.string(),
  partitionGuid: guid.optional(),
  /** GPT partition name. */
  name: z.string(),
  /** As blkid says it: ext4, ntfs, vfat, swap …; absent when nothing is recognised. */
  fileSystem: z.string().optional(),
  label: z.string().optional(),
  /** Bytes that the file system uses; equals sizeBytes when all blocks were read. */
  usedBytes: z.int().nonnegative(),
  capturedAs: z.enum(['used-blocks', 'all-blocks']),
  /** Why all blocks were read, when they were. */
  reason: z.string().optional(),
  /** A data volume survives a restore where its disk survived. */
  role: z.enum(['system', 'data']),
});
export type Volume = z.infer<typeof volumeSchema>;

export const imageDiskSchema = z.strictObject({
  number: z.int().nonnegative(),
  slot: z.string(),
  model: z.string(),
  serial: z.string().optional(),
  wwn: z.string().optional(),
  sizeBytes: z.int().positive(),
  logicalSectorBytes: z.int().positive(),
  physicalSectorBytes: z.int().positive(),
  /** Name of the casync index file in the image's folder. */
  diskIndex: fileName,
  partitionTable: z.strictObject({
    kind: z.enum(['gpt', 'mbr', 'none']),
    diskGuid: guid.optional(),
    /** First bytes of the disk up to and including the primary table, byte for byte. */
    primary: z.base64(),
    /** The backup GPT: entries and header, byte for byte; empty without GPT. */
    backup: z.base64(),
  }),
  volumes: z.array(volumeSchema),
});
export type ImageDisk = z.infer<typeof imageDiskSchema>;

/** A UEFI Boot#### variable (UEFI 2.10, 3.1.3), its EFI_LOAD_OPTION bytes as the firmware holds them. */
export const bootEntrySchema = z.strictObject({
  number: z.string().regex(/^[0-9A-F]{4}$/),
  label: z.string(),
  loadOption: z.base64(),
});
export type BootEntry = z.infer<typeof bootEntrySchema>;

/**
 * Which life of its directory database a domain controller was in, read from the directory before the image was taken:
 * the image is never older than this says.
 */
export const domainControllerMarkSchema = z.strictObject({
  /** Of its nTDSDSA object. */
  invocationId: guid,
  /** Update sequence number, 64 bits. */
  highestCommittedUsn: z.string().regex(/^\d{1,20}$/),
  /** Computer names of the forest's other controllers at that time. */
  otherControllers: z.array(z.string().min(1).max(63)),
});
export type DomainControllerMark = z.infer<typeof domainControllerMarkSchema>;

/** What a Windows station said about itself when its image was taken, for the hooks after a restore. */
export const imagedWindowsSchema = z.strictObject({
  /** `Windows Server 2019 Standard` */
  product: z.string().max(200),
  edition: z.string().max(100),
  /** `17763.1339` */
  build: z.string().max(40),
  computerName: z.string().max(63),
  /** DNS domain; empty in a workgroup. */
  domain: z.string().max(255),
  role: z.enum(['workstation', 'server', 'domain-controller', 'unknown']),
  sqlInstances: z.array(z.string().max(100)),
});
export type ImagedWindows = z.infer<typeof imagedWindowsSchema>;

export const imageManifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  station: stationNameSchema,
  computerName: z.string().max(63),
  stationRole: z.enum(['server', 'client', 'engineering-station', 'domain-controller']),
  /** Absent: no domain controller, or nobody could be asked. */
  domainController: domainControllerMarkSchema.optional(),
  /** Absent when no Windows was found, or it could not be read. */
  windows: imagedWindowsSchema.optional(),
  capturedAt: z.iso.datetime(),
  consistency: z.enum(['offline', 'snapshot-with-application-writers', 'crash']),
  tools: z.record(z.string(), z.string()),
  sequence: z.int().positive(),
  previousManifestSha256: sha256HexSchema.nullable(),
  firmware: z.strictObject({
    kind: z.enum(['bios', 'uefi']),
    bootEntries: z.array(bootEntrySchema),
    /** Boot#### numbers in BootOrder. */
    bootOrder: z.array(z.string().regex(/^[0-9A-F]{4}$/)),
  }),
  disks: z.array(imageDiskSchema).min(1),
  /** Every other file of the image's folder, each once. */
  files: z
    .array(z.strictObject({ name: fileName, bytes: z.int().nonnegative(), sha256: sha256HexSchema }))
    .refine((files) => new Set(files.map(({ name }) => name)).size === files.length, {
      error: 'a file is listed twice',
    }),
});
export type ImageManifest = z.infer<typeof imageManifestSchema>;
