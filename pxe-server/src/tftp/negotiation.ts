/** What both sides use for one transfer. */
export interface TransferParameters {
  /** Bytes in every block but the last. */
  readonly blockSize: number;
  /** Blocks sent before an acknowledgement is awaited. */
  readonly windowSize: number;
  /** The client's `timeout`: the longest pause before we send again. */
  readonly timeoutSeconds?: number;
  /** What an OACK says; empty: no OACK, the first packet is DATA 1. */
  readonly accepted: ReadonlyMap<string, string>;
}

export interface NegotiationLimits {
  /** 1468 fills an Ethernet frame; more is cut into fragments, of which the loss of one loses all. */
  readonly blockSize: number;
  readonly windowSize: number;
}

export const defaultLimits: NegotiationLimits = { blockSize: 1468, windowSize: 64 };

/**
 * RFC 2347: an option that we do not know, or whose value makes no sense, is left out of the answer and the
 * transfer goes on without it. blksize (RFC 2348) and windowsize (RFC 7440) may be answered with less.
 */
export function negotiate(
  requested: ReadonlyMap<string, string>,
  fileSize: number,
  limits: NegotiationLimits = defaultLimits,
): TransferParameters {
  const accepted = new Map<string, string>();
  const number = (name: string, minimum: number, maximum: number): number | undefined => {
    const value = requested.get(name);
    if (value === undefined || !/^\d{1,10}$/.test(value)) return undefined;
    return Number(value) >= minimum && Number(value) <= maximum ? Number(value) : undefined;
  };
  const atMost = (name: string, minimum: number, maximum: number, limit: number): number | undefined => {
    const value = number(name, minimum, maximum);
    if (value === undefined) return undefined;
    accepted.set(name, String(Math.min(value, limit)));
    return Math.min(value, limit);
  };

  const blockSize = atMost('blksize', 8, 65464, limits.blockSize) ?? 512;
  const timeoutSeconds = atMost('timeout', 1, 255, 255);
  // RFC 2349 says a reader sends 0; some send the buffer they have, and want to know all the same.
  if (requested.has('tsize')) accepted.set('tsize', String(fileSize));
  const windowSize = atMost('windowsize', 1, 65535, limits.windowSize) ?? 1;
  return { blockSize, windowSize, accepted, ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) };
}
