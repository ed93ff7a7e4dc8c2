import { expect, test } from 'vitest';
import type { BootDecider, StationAddress } from '#pxe-server/boot/boot-decider.ts';
import { ipv4 } from '#pxe-server/boot/ipv4-address.ts';
import type { Loader } from '#pxe-server/boot/loader-name.ts';
import { answerDatagram } from '#pxe-server/dhcp/answer-datagram.ts';
import { createEnrolmentPool } from '#pxe-server/dhcp/enrolment-pool.ts';
import { createLeaseStore } from '#pxe-server/dhcp/lease-store.ts';
import type { DhcpSettings } from '#pxe-server/dhcp/settings.ts';
import { openState } from '#pxe-server/site/state.ts';
import { addressOf, bootFileOf, optionsOf, request, uefiOptions } from '#test/support/dhcp-datagrams.ts';

/** Signed GRUB learns its server from the ACK with the address, so behind a proxy that ACK has to be ours. */

const settings: DhcpSettings = {
  mode: 'proxy',
  interfaceName: 'eth0',
  interfaceAddress: ipv4('10.77.0.1'),
  netmask: ipv4('255.255.255.0'),
  tftpServer: ipv4('10.77.0.1'),
  httpBaseUrl: 'http://10.77.0.1:8080',
  leaseSeconds: 600,
};

function answer(bytes: Buffer, loader: Loader, address?: string) {
  const fixed: StationAddress | undefined =
    address === undefined ? undefined : { kind: 'fixed', ip: ipv4(address) };
  const decider: BootDecider = {
    targetFor: () => ({ kind: 'menu', loader }),
    addressFor: () => fixed ?? { kind: 'not-for-us', reason: 'station OS-SRV-1A has no address' },
  };
  const pool = createEnrolmentPool(undefined, createLeaseStore(openState(':memory:', { create: true })));
  const arrival = { port: 67, from: { address: ipv4('0.0.0.0'), port: 68 }, now: 0 };
  return answerDatagram(bytes, arrival, { settings, decider, pool });
}

const discover = request({ type: 1, xid: 1, flags: 0x8000, options: uefiOptions });

test('the offer beside another server is whole, and of the kind that firmware prefers', () => {
  const { send } = answer(discover, 'signed-grub', '10.77.0.100');
  const offer = Buffer.from(send?.bytes ?? []);
  expect(addressOf(offer, 16)).toBe('10.77.0.100');
  expect(addressOf(offer, 20)).toBe('10.77.0.1');
  expect(bootFileOf(offer)).toBe('shimx64.efi');
  expect(Buffer.from(optionsOf(offer).get(60) ?? []).toString()).toBe('PXEClient');
  expect(optionsOf(offer).get(43)).toEqual([6, 1, 8, 255]);
});

test('another loader of the same firmware gets boot information alone', () => {
  const { send } = answer(discover, 'ipxe', '10.77.0.100');
  const offer = Buffer.from(send?.bytes ?? []);
  expect(addressOf(offer, 16)).toBe('0.0.0.0');
  expect(bootFileOf(offer)).toBe('snponly.efi');
});

test('without an address of ours there is silence, and a reason that says what to do', () => {
  const { event, send } = answer(discover, 'signed-grub');
  expect(send).toBeUndefined();
  expect(event).toMatchObject({
    event: 'ignored',
    reasons: [expect.stringMatching(/has no address.*rekindle station set NAME --address IP/)],
  });
});

test('UEFI HTTP Boot cannot feed signed GRUB', () => {
  const options = uefiOptions.map((option): (typeof uefiOptions)[number] => {
    if (option[0] === 60) return [60, 'HTTPClient:Arch:00016:UNDI:003000'];
    return option[0] === 93 ? [93, [0, 16]] : option;
  });
  const { event } = answer(request({ type: 1, xid: 1, options }), 'signed-grub', '10.77.0.100');
  expect(event).toMatchObject({ reasons: [expect.stringContaining('PXE boot instead of HTTP boot')] });
});
