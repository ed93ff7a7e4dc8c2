import type { PublicKey } from '../format/minisign.ts';
import type { StoreRef } from './chunk-store.ts';

/** A store, and whose signatures count in it. */
export interface SignedStore {
  readonly source: StoreRef;
  readonly key: PublicKey;
}
