/** What an NBD server hands out: a disk that can be read. */
export interface ExportDevice {
  readonly sizeBytes: number;
  /**
   * The range, in order and without gaps. It lies on the disk; who asks has checked that.
   * @throws when one byte of it cannot be had
   */
  read(offset: number, length: number): Promise<Piece[]>;
  /** The same range as runs of zeros and of data, without reading anything. */
  extents(offset: number, length: number): Extent[];
}

export type Piece =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'zeros'; readonly sizeBytes: number };

export interface Extent {
  readonly kind: 'data' | 'zeros';
  readonly sizeBytes: number;
}
