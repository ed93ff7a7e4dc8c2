import { RekindleError } from '#base/errors.ts';

/** A network card as the kernel names it now; the name says nothing about which card it is. */
export interface NetworkInterface {
  readonly name: string;
  readonly mac: string;
}

/**
 * The card that the firmware booted from, by its MAC address. A station has cards on several plant networks,
 * so there is no second choice.
 * @throws RekindleError `unexpected` when no card, or more than one, has that address
 */
export function findBootCard(interfaces: readonly NetworkInterface[], bootMac: string): NetworkInterface {
  const wanted = bootMac.toLowerCase();
  const [card, second] = interfaces.filter((each) => each.mac.toLowerCase() === wanted);
  if (card !== undefined && second === undefined) return card;
  const seen = interfaces.map((each) => `${each.name} ${each.mac}`).join(', ');
  const doing = `looking for the network card ${wanted} that this machine booted from`;
  throw second === undefined
    ? new RekindleError('unexpected', doing, {
        cause: new Error(seen === '' ? 'no network card has a driver' : `only these have a driver: ${seen}`),
        next: "Rebuild the station's driver pack (rekindle driver-pack build) and boot again.",
      })
    : new RekindleError('unexpected', doing, {
        cause: new Error(`two cards carry this address: ${seen}`),
        next: 'Give one of the cards its own address back (its set-up, or its vendor tool), then boot again.',
      });
}
