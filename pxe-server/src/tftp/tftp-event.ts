import type { Outcome } from './transfer.ts';

/** Everything that the TFTP server does. `client` is `address:port`. */
export type TftpEvent =
  | { readonly event: 'listening'; readonly address: string; readonly port: number }
  | {
      readonly event: 'finished';
      readonly client: string;
      readonly fileName: string;
      /** What the file is, where its name does not say it. */
      readonly what?: string;
      readonly outcome: Outcome;
      readonly bytes: number;
      readonly milliseconds: number;
    }
  /** A request that got an ERROR: unknown name, write, mail mode, too many transfers. */
  | {
      readonly event: 'refused';
      readonly client: string;
      readonly fileName: string;
      readonly reason: string;
    }
  | { readonly event: 'ignored'; readonly client: string; readonly reason: string }
  /** One transfer or datagram failed; the server goes on. */
  | { readonly event: 'failed'; readonly doing: string; readonly error: unknown };
