import { RekindleError } from '#base/errors.ts';
import { ipv4, ipv4FromNumber, ipv4ToNumber } from '../boot/ipv4-address.ts';
import type { Configuration } from '../config/configuration.ts';

/**
 * The first address of `dhcp.stations` that no station has. In proxy mode the other DHCP server decides: undefined,
 * but for a station whose loader needs an address of ours (dhcp/beside-other-server.ts), where there is a range.
 * @throws RekindleError `usage`: no range in the configuration, or none left in it
 */
export function chooseStationAddress(
  configuration: Configuration,
  taken: ReadonlySet<string>,
  needsOurs: boolean,
): string | undefined {
  const { mode, stations: range } = configuration.dhcp;
  if (mode === 'proxy' && (!needsOurs || range === undefined)) return undefined;
  if (range === undefined) {
    throw new RekindleError('usage', 'Choosing an address for the station: the configuration has no range', {
      next: 'Set dhcp.stations in rekindle.yaml, or name an address with --address.',
    });
  }
  const last = ipv4ToNumber(ipv4(range.to));
  for (let number = ipv4ToNumber(ipv4(range.from)); number <= last; number += 1) {
    const address = ipv4FromNumber(number);
    if (!taken.has(address)) return address;
  }
  throw new RekindleError(
    'usage',
    `Choosing an address for the station: every one from ${range.from} to ${range.to} is taken`,
    { next: 'Make dhcp.stations larger in rekindle.yaml, or remove stations that are gone.' },
  );
}
