import type { Response } from 'express';

/** Why Express could not send a file: 404, or 416 with the header that a client needs to ask again. */
export function sendFailureStatus(response: Response, error: Error): number {
  const { status, headers } = error as Error & { status?: number; headers?: Record<string, string> };
  if (status !== 416) return 404;
  if (headers !== undefined) response.set(headers);
  return 416;
}
