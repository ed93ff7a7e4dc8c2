/** Bytes of the input that zstd has compressed. */
export type CompressProgress = (doneBytes: number, totalBytes: number) => void;

const units: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/**
 * The last of what `zstd --progress` says on standard error, `\rRead:  1.50 MiB  ==> 31%` (fileio.c, 1.5.4): what its
 * threads have compressed, not what they have only taken in, which is 32 MiB each at once.
 * @returns bytes; undefined: nothing of it is there
 */
export function parseZstdProgress(text: string): number | undefined {
  const last = [...text.matchAll(/Read:\s*([\d.]+)\s*(B|KiB|MiB|GiB)\s/g)].at(-1);
  const unit = units[last?.[2] ?? ''];
  return last === undefined || unit === undefined ? undefined : Math.round(Number(last[1]) * unit);
}
