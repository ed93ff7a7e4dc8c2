import { RekindleError } from '#base/errors.ts';
import { parseGuid } from '#images/format/partition-table/guid.ts';

/** What a domain controller has of the changes that originated at one other. */
export interface UpToDateCursor {
  /** Which life of a directory database: a restored one gets a new invocationId. Upper case, as everywhere here. */
  readonly invocationId: string;
  /** Every change up to this update sequence number has arrived. */
  readonly usn: bigint;
}

/**
 * `replUpToDateVector` of a naming context's head (MS-ADA3 2.214; its bytes are UPTODATE_VECTOR_V1_EXT and
 * _V2_EXT of MS-DRSR 5.208 and 5.209, little-endian): u32 version, u32 0, u32 count, u32 0, and for each cursor 16 bytes invocationId, u64
 * USN and, in version 2, 8 bytes time of the last success.
 * @throws RekindleError `verification-failed`
 */
export function parseUpToDateVector(bytes: Uint8Array): UpToDateCursor[] {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const refuse = (why: string): RekindleError =>
    new RekindleError('verification-failed', `Reading a replUpToDateVector of ${at.length} bytes: ${why}`);
  if (at.length < headerBytes) throw refuse('it is shorter than its header');
  const version = at.readUInt32LE(0);
  const cursorBytes = version === 1 ? 24 : version === 2 ? 32 : undefined;
  if (cursorBytes === undefined) throw refuse(`version ${version} is not known`);
  const count = at.readUInt32LE(8);
  if (at.length !== headerBytes + count * cursorBytes) {
    throw refuse(`${count} cursors of version ${version} have another length`);
  }
  return Array.from({ length: count }, (_, index) => {
    const start = headerBytes + index * cursorBytes;
    return {
      invocationId: parseGuid(at.subarray(start, start + 16)),
      usn: at.readBigUInt64LE(start + 16),
    };
  });
}

const headerBytes = 16;

/** The highest USN that any of the vectors has of this database; undefined when none has ever heard of it. */
export function knownUsn(
  vectors: readonly (readonly UpToDateCursor[])[],
  invocationId: string,
): bigint | undefined {
  const usns = vectors.flat().filter((cursor) => cursor.invocationId === invocationId);
  return usns.reduce<bigint | undefined>(
    (highest, { usn }) => (highest === undefined || usn > highest ? usn : highest),
    undefined,
  );
}
