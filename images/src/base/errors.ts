/**
 * The one error class. `message` says what was being done, to what and how far; the reason below it is
 * `cause` and is never repeated in the message. `code` is stable and decides the exit code.
 */

/** Exit codes of every command (README, "Exit codes"). */
export const exitCodes = {
  unexpected: 1,
  usage: 2,
  'failed-hooks': 3,
  'store-unreachable': 10,
  'not-found': 11,
  'hardware-not-identical': 12,
  'target-unfit': 13,
  'verification-failed': 14,
  interrupted: 130,
} as const;

export type ErrorCode = keyof typeof exitCodes;

export interface ErrorOptions {
  readonly cause?: unknown;
  /** What a person should do next, one sentence. */
  readonly next?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export class RekindleError extends Error {
  readonly code: ErrorCode;
  readonly next: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'RekindleError';
    this.code = code;
    this.next = options.next;
    this.details = options.details ?? {};
  }
}

/** Every message of the chain, outermost first. */
export function errorChain(error: unknown): string[] {
  const messages: string[] = [];
  for (let link: unknown = error; link !== undefined && link !== null; ) {
    messages.push(link instanceof Error ? link.message : String(link));
    link = link instanceof Error ? link.cause : undefined;
  }
  return messages;
}

/** The chain as a person reads it: the sentence, its reasons indented below, then what to do next. */
export function formatError(error: unknown): string {
  const lines = errorChain(error).map((message, depth) =>
    depth === 0 ? message : `${'  '.repeat(depth)}because: ${message}`,
  );
  if (error instanceof RekindleError && error.next !== undefined) lines.push(`Next: ${error.next}`);
  return lines.join('\n');
}

export function exitCodeOf(error: unknown): number {
  return error instanceof RekindleError ? exitCodes[error.code] : exitCodes.unexpected;
}
