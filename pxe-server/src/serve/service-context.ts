import type { PublicKey, SecretKey } from '#images/format/minisign.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Journal } from '../journal/journal.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { State } from '../site/state.ts';
import type { Logger } from './log.ts';

/** What every part of the running service works with. */
export interface ServiceContext {
  readonly state: State;
  readonly paths: SitePaths;
  readonly configuration: Configuration;
  /** Absolute path of the image store. */
  readonly store: string;
  /** Signs manifests and run reports; `SecretKey` is a public key too. */
  readonly signingKey: SecretKey & PublicKey;
  readonly journal: Journal;
  readonly log: Logger;
}
