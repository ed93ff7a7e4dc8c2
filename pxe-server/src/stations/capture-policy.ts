import type { CaptureLimits } from '#images/capture/throttle.ts';
import type { TurnPolicy } from '#images/stores/capture-turn.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Station } from './station.ts';

/** How a station's capture is held back: its attributes and the site's policy. */
export function captureLimits(
  station: Pick<Station, 'onTerminalBus'> | undefined,
  { terminalBusKBs, maxLoadPercent }: Configuration['captures'],
): CaptureLimits {
  return {
    ...(station?.onTerminalBus === true ? { bytesPerSecond: terminalBusKBs * 1024 } : {}),
    ...(maxLoadPercent < 100 ? { loadPercent: maxLoadPercent } : {}),
  };
}

/** Whether captures wait for each other, and how long after one the next may start. */
export const turnPolicy = ({ oneAtATime, bufferMinutes }: Configuration['captures']): TurnPolicy => ({
  oneAtATime,
  bufferSeconds: bufferMinutes * 60,
});
