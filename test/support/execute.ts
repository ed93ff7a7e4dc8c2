import { execFile } from 'node:child_process';

export interface Executed {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program beside the test, which may be serving it. Never throws for its exit code. */
export function execute(command: string, ...args: string[]): Promise<Executed> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { encoding: 'utf8', timeout: 30_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : (error.code ?? null);
      if (typeof code === 'string') reject(error);
      else resolve({ code, stdout, stderr });
    });
  });
}
