/** What a partition table is read from: a device, a file, or bytes in memory. */
export interface DiskBytes {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  /** Exactly `length` bytes, or an error. */
  read(offset: number, length: number): Uint8Array;
}
