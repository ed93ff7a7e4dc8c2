import type { BootDecider } from '../boot/boot-decider.ts';
import { isSignedGrub } from '../boot/loader-name.ts';
import { machineOf } from './boot-answer.ts';
import type { NetbootClient, PlainClient } from './client.ts';
import { type Ignored, ignore } from './ignored.ts';

/**
 * Signed GRUB 2.06 learns its server from the ACK that gave the firmware its address and never looks at a proxy's
 * offer: behind a proxy it stands at its prompt for ever. Such a machine gets one whole answer from us, address
 * included, also where another server gives the addresses. Firmware prefers that answer to any pair of an address here
 * and a boot file there (EDK II, PxeBcSelectDhcp4Offer: an offer that says PXEClient and carries option 43 comes first).
 */
export function needsWholeAnswer(client: NetbootClient | PlainClient, decider: BootDecider): boolean {
  if (client.kind === 'plain') return false;
  const target = decider.targetFor(machineOf(client));
  return target.kind !== 'not-for-us' && isSignedGrub(client.firmwareKind, target.loader);
}

/** Silence sends the firmware on to its disk; the sentence says what to do. */
export function noWholeAnswer({ reasons }: Ignored): Ignored {
  return ignore(
    `Secure Boot beside another DHCP server needs an address of ours (${reasons.join('; ')}). Give it one that the other server does not: rekindle station set NAME --address IP`,
  );
}
