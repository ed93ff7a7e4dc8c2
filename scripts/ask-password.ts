import { readFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import { shortestPassword } from '#pxe-server/users/user-store.ts';

/**
 * A new password: from a file (its first line), or typed twice at the terminal without echo. Never from the
 * command line or the environment, which other users of the machine can read.
 */
export async function newPassword(forWhom: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return readPasswordFile(file);
  assertTerminal(forWhom);
  const first = await askHidden(
    `New password for ${forWhom} (at least ${shortestPassword} characters; not shown): `,
  );
  // Too short is said before it is typed a second time.
  if (first.length >= shortestPassword && (await askHidden('Again: ')) !== first) {
    throw new RekindleError('usage', `The two passwords for ${forWhom} differ`, {
      next: 'Start the command again.',
    });
  }
  return first;
}

/** A password that exists already: from a file, or typed once. */
export async function knownPassword(forWhom: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return readPasswordFile(file);
  assertTerminal(forWhom);
  return askHidden(`Password of ${forWhom}: `);
}

function assertTerminal(forWhom: string): void {
  if (process.stdin.isTTY) return;
  throw new RekindleError('usage', `The password for ${forWhom} cannot be asked: there is no terminal`, {
    next: 'Give it in a file that only you can read: --password-file FILE',
  });
}

async function readPasswordFile(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).split(/\r?\n/)[0] ?? '';
  } catch (cause) {
    throw new RekindleError('usage', `The password file ${file} cannot be read`, {
      cause,
      next: 'Correct its name; the password is the first line of the file.',
    });
  }
}

function askHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true).setEncoding('utf8').resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (settle: () => void) => {
      stdin.off('data', onData).setRawMode(false).pause();
      stderr.write('\n');
      settle();
    };
    const onData = (keys: string) => {
      for (const key of keys) {
        if (key === '\r' || key === '\n') return end(() => resolve(typed));
        if (key === '\u0003') {
          return end(() =>
            reject(new RekindleError('interrupted', 'Asking for the password was interrupted')),
          );
        }
        typed = key === '\u007f' || key === '\b' ? typed.slice(0, -1) : typed + key;
      }
    };
    stdin.on('data', onData);
  });
}
