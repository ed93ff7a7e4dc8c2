import { type FileHandle, open } from 'node:fs/promises';
import { endOf } from '../format/chunk-grid.ts';
import type { ExportDevice, Extent, Piece } from '../mount/export-device.ts';

/** Bytes of a file in a range of a disk, in place of what the disk has there. */
export interface Replacement {
  readonly startByte: number;
  readonly sizeBytes: number;
  readonly file: string;
  readonly fileOffset: number;
  /** So many bytes come from the file, the rest of the range is zeros. */
  readonly fileBytes: number;
  /** From the start of the range. */
  readonly patches: readonly { readonly at: number; readonly bytes: Uint8Array }[];
}

/** A disk with some of its ranges replaced. @param replacements do not overlap */
export async function composeDisk(
  base: ExportDevice,
  replacements: readonly Replacement[],
): Promise<ExportDevice & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const handles = new Map<Replacement, FileHandle>();
  for (const replacement of replacements) {
    const handle = await open(replacement.file, 'r');
    stack.defer(() => handle.close());
    handles.set(replacement, handle);
  }
  const ordered = [...replacements].sort((a, b) => a.startByte - b.startByte);

  /** Parts of a range, each of the base or of one replacement. */
  function* partsOf(offset: number, length: number) {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      const next = ordered.find((each) => endOf(each) > at);
      const inside = next !== undefined && next.startByte <= at;
      const stop = Math.min(end, next === undefined ? end : inside ? endOf(next) : next.startByte);
      yield { at, sizeBytes: stop - at, replacement: inside ? next : undefined };
      at = stop;
    }
  }

  async function readReplaced(replacement: Replacement, at: number, sizeBytes: number): Promise<Piece[]> {
    const from = at - replacement.startByte;
    const wanted = Math.max(0, Math.min(sizeBytes, replacement.fileBytes - from));
    const bytes = Buffer.alloc(wanted);
    for (let done = 0; done < wanted; ) {
      const position = replacement.fileOffset + from + done;
      const { bytesRead } = (await handles.get(replacement)?.read(bytes, done, wanted - done, position)) ?? {
        bytesRead: 0,
      };
      if (bytesRead === 0) throw new Error(`${replacement.file} ends at byte ${position}`);
      done += bytesRead;
    }
    for (const patch of replacement.patches) {
      for (const [index, value] of patch.bytes.entries()) {
        const place = patch.at + index - from;
        if (place >= 0 && place < wanted) bytes[place] = value;
      }
    }
    const zeros = sizeBytes - wanted;
    return [
      ...(wanted > 0 ? [{ kind: 'data' as const, bytes }] : []),
      ...(zeros > 0 ? [{ kind: 'zeros' as const, sizeBytes: zeros }] : []),
    ];
  }

  const resources = stack.move();
  return {
    sizeBytes: base.sizeBytes,
    async read(offset, length) {
      const pieces = [...partsOf(offset, length)].map(({ at, sizeBytes, replacement }) =>
        replacement === undefined ? base.read(at, sizeBytes) : readReplaced(replacement, at, sizeBytes),
      );
      return (await Promise.all(pieces)).flat();
    },
    extents: (offset, length): Extent[] =>
      [...partsOf(offset, length)].flatMap(({ at, sizeBytes, replacement }) =>
        replacement === undefined ? base.extents(at, sizeBytes) : [{ kind: 'data', sizeBytes }],
      ),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
