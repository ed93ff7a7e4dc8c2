/** A run of clusters of an attribute; `lcn` null where it is sparse. */
export interface ClusterRun {
  readonly vcn: number;
  readonly lcn: number | null;
  readonly clusters: number;
}

/**
 * Mapping pairs of a non-resident attribute: a byte with the sizes of length (low) and offset (high nibble), the
 * length, and the signed offset from the run before; 0 ends them.
 * @throws Error when they leave their attribute, go before cluster 0 or have a length that is none
 */
export function parseMappingPairs(bytes: Uint8Array, firstVcn: number): ClusterRun[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const runs: ClusterRun[] = [];
  let vcn = firstVcn;
  let lcn = 0;
  for (let at = 0; ; ) {
    const sizes = view[at];
    if (sizes === undefined) throw new Error('the mapping pairs have no end');
    if (sizes === 0) return runs;
    const [lengthBytes, offsetBytes] = [sizes & 0x0f, sizes >> 4];
    const next = at + 1 + lengthBytes + offsetBytes;
    // 6 bytes hold 2^47 clusters: more are on no volume, and Node reads no more at once.
    if (lengthBytes === 0 || lengthBytes > 6 || offsetBytes > 6 || next > view.length)
      throw new Error(`a mapping pair begins with ${sizes}`);
    const clusters = view.readIntLE(at + 1, lengthBytes);
    if (clusters <= 0) throw new Error(`a run has ${clusters} clusters`);
    if (offsetBytes > 0) lcn += view.readIntLE(at + 1 + lengthBytes, offsetBytes);
    if (lcn < 0) throw new Error(`a run begins at cluster ${lcn}`);
    runs.push({ vcn, lcn: offsetBytes === 0 ? null : lcn, clusters });
    vcn += clusters;
    at = next;
  }
}
