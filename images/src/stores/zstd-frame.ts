/**
 * What a decoder of zstd may overlook around the content (RFC 8878, section 3.1): a bit without meaning, a
 * dictionary that is not used, a second frame, bytes behind the last. A chunk file is one frame and nothing
 * else, so that damage there is seen too; and a content size beyond the limit is refused before any memory
 * is taken for it.
 *
 *     0  magic fd2fb528              4  descriptor: size of the content size (2 bits), single segment,
 *     5  window (unless single          unused (0), reserved (0), checksum, size of the dictionary id (2 bits: 0)
 *        segment), content size     then blocks: last (1 bit), type (2 bits), size (21 bits); at last a checksum
 */
const magic = 0xfd2fb528;
const largestBlock = 128 << 10;
const blockType = { runLength: 1, compressed: 2 } as const;

/** @returns null for exactly one frame whose content has at most `limit` bytes, else what is wrong with it */
export function findFrameProblem(file: Uint8Array, limit: number): string | null {
  const view = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (view.length < 6 || view.readUInt32LE(0) !== magic) return 'no zstd frame at byte 0';
  const descriptor = view.readUInt8(4);
  if ((descriptor & 0b0001_1011) !== 0)
    return `the frame's descriptor is ${descriptor}, with bits that mean nothing here`;
  const singleSegment = (descriptor & 0b0010_0000) !== 0;
  const sizeAt = singleSegment ? 5 : 6;
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  if (sizeAt + sizeBytes > view.length) return 'cut off in its header';
  const contentBytes = readContentSize(view, sizeAt, sizeBytes);
  if (contentBytes > limit) return `its content has ${contentBytes} bytes, more than the ${limit} of a chunk`;

  let at = sizeAt + sizeBytes;
  for (let last = false; !last; ) {
    if (at + 3 > view.length) return `cut off at byte ${at}`;
    const block = view.readUIntLE(at, 3);
    const [type, size] = [(block >> 1) & 3, block >> 3];
    last = (block & 1) === 1;
    if (type > blockType.compressed || size > largestBlock) return `no block at byte ${at}`;
    at += 3 + (type === blockType.runLength ? 1 : size);
  }
  if ((descriptor & 0b100) !== 0) at += 4;
  if (at === view.length) return null;
  return at > view.length ? 'cut off' : `${view.length - at} bytes behind the frame's end`;
}

/** 0 when the frame does not say; two bytes count from 256. */
function readContentSize(view: Buffer, at: number, bytes: number): number {
  if (bytes === 8) return Number(view.readBigUInt64LE(at));
  if (bytes === 0) return 0;
  return view.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}
