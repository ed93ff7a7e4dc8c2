import type { Command } from 'commander';
import type { CaptureLimits } from '#images/capture/throttle.ts';
import { parseByteRate, parsePercent } from '../../byte-rate.ts';

export interface LimitOptions {
  readonly limitRate?: number;
  readonly maxLoad?: number;
}

export function withLimits(command: Command, ofWhat: string): Command {
  return command
    .option('--limit-rate <rate>', `bytes a second ${ofWhat}, e.g. 2500K`, parseByteRate)
    .option('--max-load <percent>', 'share of their time that the workers work, 1 to 100', parsePercent);
}

export const limitsOf = ({ limitRate, maxLoad }: LimitOptions): CaptureLimits => ({
  ...(limitRate === undefined ? {} : { bytesPerSecond: limitRate }),
  ...(maxLoad === undefined ? {} : { loadPercent: maxLoad }),
});
