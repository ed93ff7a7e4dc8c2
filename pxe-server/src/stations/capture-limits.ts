import type { CaptureLimits } from '#images/capture/throttle.ts';
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
