import { type Logger, pino } from 'pino';

export type { Logger };

/**
 * JSON lines on standard error: a fixed event phrase plus fields. Passwords and tokens are never fields; the
 * paths below are a second fence.
 */
export function createLog(level: 'error' | 'info' | 'debug' = 'info'): Logger {
  return pino(
    {
      base: null,
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: ['password', 'token', '*.password', '*.token', '*.authorization'],
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
