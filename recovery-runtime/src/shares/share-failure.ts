import { errorChain, RekindleError } from '#base/errors.ts';
import type { MountedShare } from './mount-share.ts';

/** What became of a share in the middle of a job, by the kernel's word for it. */
const meanings: readonly (readonly [sign: RegExp, sentence: string, next: string])[] = [
  [
    /ESTALE/,
    'the server does not know our handles any more: the folder was exported anew or replaced',
    'Try again: the share is mounted anew, and what is right already is kept.',
  ],
  [
    /ENOSPC|EDQUOT/,
    'the share is full',
    'Free some space in the store, then try again: what is stored is reused.',
  ],
  [/EROFS/, 'the share cannot be written', 'Give write access for captures, then try again.'],
  [
    /EACCES|EPERM/,
    'the server refuses access to a file of the store',
    "Put the rights of the store's folder right on the server, then try again.",
  ],
  [
    /EHOSTDOWN|ETIMEDOUT|ENOTCONN|ECONNRESET|ECONNABORTED|EHOSTUNREACH|ENETUNREACH|EAGAIN|EIO|ESHUTDOWN/,
    'the server stopped answering',
    'Check that it runs and that the cable is in, then try again: what is right already is kept.',
  ],
];

/** The same failure with a word about the share; any other failure as it is. */
export function explainShareFailure(
  share: Pick<MountedShare, 'description' | 'hung'>,
  error: unknown,
): unknown {
  if (!(error instanceof RekindleError) || error.code !== 'store-unreachable') return error;
  const text = errorChain(error).join('\n');
  const meaning = meanings.find(([sign]) => sign.test(text));
  if (meaning === undefined && !share.hung) return error;
  const [, sentence, next] = meaning ?? [
    '',
    'it gave no answer for so long that it was cut loose',
    'Check the server, then try again.',
  ];
  return new RekindleError(error.code, `using the image store ${share.description}: ${sentence}`, {
    cause: error,
    next,
    details: error.details,
  });
}
