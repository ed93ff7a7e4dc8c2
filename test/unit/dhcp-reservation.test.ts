import { beforeEach, expect, test } from 'vitest';
import type { BootDecider, StationAddress } from '#pxe-server/boot/boot-decider.ts';
import { ipv4 } from '#pxe-server/boot/ipv4-address.ts';
import type { MacAddress } from '#pxe-server/boot/mac-address.ts';
import { answerDatagram, type DatagramAnswer } from '#pxe-server/dhcp/answer-datagram.ts';
import { createEnrolmentPool, type EnrolmentPool } from '#pxe-server/dhcp/enrolment-pool.ts';
import { createLeaseStore, type LeaseStore } from '#pxe-server/dhcp/lease-store.ts';
import type { DhcpSettings } from '#pxe-server/dhcp/settings.ts';
import { openState } from '#pxe-server/site/state.ts';
import {
  addressOf,
  biosOptions,
  bootFileOf,
  httpBootOptions,
  ipxeBiosDiscover,
  optionsOf,
  type RequestFields,
  request,
  uefiOptions,
} from '#test/support/dhcp-datagrams.ts';

const [DISCOVER, REQUEST, DECLINE, RELEASE, INFORM] = [1, 3, 4, 7, 8];
const [OFFER, ACK, NAK] = [2, 5, 6];
const known = '52:54:00:00:00:01';
const stranger = '52:54:00:00:00:99';
const ours: [number, string] = [54, '10.77.0.1'];

const settings: DhcpSettings = {
  mode: 'reservation',
  interfaceName: 'eth0',
  interfaceAddress: ipv4('10.77.0.1'),
  netmask: ipv4('255.255.255.0'),
  tftpServer: ipv4('10.77.0.1'),
  httpBaseUrl: 'http://10.77.0.1:8080',
  leaseSeconds: 600,
  enrolmentPool: { first: ipv4('10.77.0.200'), last: ipv4('10.77.0.201') },
};
const station = {
  kind: 'fixed',
  ip: ipv4('10.77.0.21'),
  router: ipv4('10.77.0.254'),
  dns: [ipv4('10.77.0.5'), ipv4('10.77.0.6')],
  hostName: 'os-srv-1a',
} as const;

/** What the decider says instead of `station`. */
let relayed: Partial<StationAddress> | undefined;
let leases: LeaseStore;
let windowOpen: boolean;
let enrolled: boolean;
let pool: EnrolmentPool;
let now: number;
beforeEach(() => {
  [windowOpen, enrolled, now, relayed] = [false, false, 1_000_000, undefined];
  leases = createLeaseStore(openState(':memory:', { create: true }), 0);
  pool = createEnrolmentPool(settings.enrolmentPool, leases);
});

const decider: BootDecider = {
  targetFor: () => ({ kind: 'runtime', purpose: 'recovery' }),
  addressFor(mac) {
    if (mac === known || enrolled) return { ...station, ...relayed };
    return windowOpen ? { kind: 'enrolment-pool' } : { kind: 'not-for-us', reason: 'unknown machine' };
  },
};

interface Answer extends DatagramAnswer {
  readonly type: number | undefined;
  readonly address: string;
  readonly to: string;
  readonly options: Map<number, number[]>;
  readonly bytes: Uint8Array;
}
function ask(message: RequestFields | Buffer): Answer {
  const bytes = Buffer.isBuffer(message) ? message : request(message);
  const from = { address: ipv4('0.0.0.0'), port: 68 };
  const answer = answerDatagram(bytes, { port: 67, from, now }, { settings, decider, pool });
  const reply = answer.send?.bytes ?? new Uint8Array(240);
  const options = optionsOf(reply);
  const to = answer.send === undefined ? 'nobody' : `${answer.send.to.address}:${answer.send.to.port}`;
  return { ...answer, bytes: reply, options, to, type: options.get(53)?.[0], address: addressOf(reply, 16) };
}
const silence = (reason: string) => ({ to: 'nobody', event: { event: 'ignored', reasons: [reason] } });

test('an offer has everything that the station needs', () => {
  const offer = ask({ type: DISCOVER, options: biosOptions });
  expect(offer).toMatchObject({ type: OFFER, address: '10.77.0.21', to: '255.255.255.255:68' });
  expect(Object.fromEntries(offer.options)).toEqual({
    53: [OFFER],
    54: [10, 77, 0, 1],
    51: [0, 0, 2, 88],
    58: [0, 0, 1, 44],
    59: [0, 0, 2, 13],
    1: [255, 255, 255, 0],
    3: [10, 77, 0, 254],
    6: [10, 77, 0, 5, 10, 77, 0, 6],
    12: Array.from(Buffer.from('os-srv-1a')),
    28: [10, 77, 0, 255],
  });
  expect(addressOf(offer.bytes, 20)).toBe('10.77.0.1');
});

test.each([
  ['BIOS', request({ type: DISCOVER, options: biosOptions }), 'undionly.kpxe', {}],
  ['UEFI', request({ type: DISCOVER, options: uefiOptions }), 'snponly.efi', {}],
  [
    'UEFI HTTP Boot',
    request({ type: DISCOVER, options: httpBootOptions }),
    'http://10.77.0.1:8080/boot/snponly.efi',
    { 60: Array.from(Buffer.from('HTTPClient')) },
  ],
  [
    'iPXE',
    ipxeBiosDiscover,
    'http://10.77.0.1:8080/boot/script.ipxe?mac=52:54:00:00:00:01',
    { 175: [176, 1, 1] },
  ],
])('%s gets its boot file and its quirks', (_, discover, bootFile, quirks) => {
  const offer = ask(discover);
  expect(bootFileOf(offer.bytes)).toBe(bootFile);
  const odd = [43, 60, 175].filter((code) => offer.options.has(code));
  expect(Object.fromEntries(odd.map((code) => [code, offer.options.get(code)]))).toEqual(quirks);
});

test('client identifier and machine identifier come back', () => {
  const offer = ask(ipxeBiosDiscover);
  expect(offer.options.get(61)).toEqual([1, 0x52, 0x54, 0, 0, 0, 1]);
  expect(offer.options.get(97)?.slice(0, 5)).toEqual([0, 0x44, 0x33, 0x22, 0x11]);
});

test('a plain client gets its address and no boot file', () => {
  const offer = ask({ type: DISCOVER });
  expect(offer).toMatchObject({ type: OFFER, address: '10.77.0.21' });
  expect(bootFileOf(offer.bytes)).toBe('');
  expect(addressOf(offer.bytes, 20)).toBe('0.0.0.0');
});

test.each([
  ['selecting us', { options: [ours, [50, '10.77.0.21']] }, ACK, '255.255.255.255:68'],
  ['after a restart', { options: [[50, '10.77.0.21']] }, ACK, '255.255.255.255:68'],
  ['renewing', { ciaddr: '10.77.0.21' }, ACK, '10.77.0.21:68'],
  ['naming no address', { options: [[50, '0.0.0.0']] }, ACK, '255.255.255.255:68'],
  ['for an address of another station', { options: [ours, [50, '10.77.0.22']] }, NAK, '255.255.255.255:68'],
  ['for an address of another network', { options: [[50, '192.168.1.5']] }, NAK, '255.255.255.255:68'],
  ['renewing an address of another network', { ciaddr: '192.168.1.5' }, NAK, '255.255.255.255:68'],
] as [string, Partial<RequestFields>, number, string][])('REQUEST %s', (_, fields, type, to) => {
  const answer = ask({ type: REQUEST, ...fields });
  expect(answer).toMatchObject({ type, to, address: type === ACK ? '10.77.0.21' : '0.0.0.0' });
  expect(answer.options.has(51)).toBe(type === ACK);
});

test('a REQUEST for another server is left alone, and the other server is named', () => {
  const answer = ask({
    type: REQUEST,
    options: [
      [54, '10.77.0.2'],
      [50, '10.77.0.50'],
    ],
  });
  expect(answer).toMatchObject(silence('the REQUEST is for another DHCP server, 10.77.0.2'));
  expect(answer.event).toMatchObject({ otherServer: '10.77.0.2' });
});

test('an unknown machine gets silence for every message, never a NAK', () => {
  for (const type of [DISCOVER, REQUEST, INFORM]) {
    const answer = ask({ type, mac: stranger, options: [[50, '10.77.0.21']] });
    expect(answer).toMatchObject(silence('unknown machine'));
  }
});

test('through a relay: to the relay, with its option 82 at the end; a NAK asks it to broadcast', () => {
  relayed = { ip: ipv4('10.88.0.21'), netmask: ipv4('255.255.255.0'), router: ipv4('10.88.0.1') };
  const through = { giaddr: '10.88.0.1', options: [[82, [1, 2, 0, 7]]] as const };
  const offer = ask({ type: DISCOVER, ...through });
  expect(offer).toMatchObject({ type: OFFER, to: '10.88.0.1:67' });
  expect(addressOf(offer.bytes, 24)).toBe('10.88.0.1');
  expect(Array.from(offer.options).at(-1)).toEqual([82, [1, 2, 0, 7]]);
  const nak = ask({ type: REQUEST, giaddr: '10.88.0.1', options: [[50, '192.168.1.5']] });
  expect(nak).toMatchObject({ type: NAK, to: '10.88.0.1:67' });
  expect(nak.bytes[10]).toBe(0x80);
});

test('a station whose address is of another network: silence, and NAK when it asks for that address', () => {
  const reason =
    'its address 10.77.0.21 is not in the network of the relay 10.88.0.1 (see dhcp.networks in rekindle.yaml)';
  expect(ask({ type: DISCOVER, giaddr: '10.88.0.1' })).toMatchObject(silence(reason));
  const nak = ask({ type: REQUEST, giaddr: '10.88.0.1', options: [[50, '10.77.0.21']] });
  expect(nak).toMatchObject({ type: NAK, to: '10.88.0.1:67' });
  relayed = { ip: ipv4('10.88.0.21') };
  expect(ask({ type: DISCOVER })).toMatchObject(
    silence('its address 10.88.0.21 is not in the network of eth0 (10.77.0.1)'),
  );
  // It renews by unicast through a router: where it stands is not known, and it has the address already.
  expect(ask({ type: REQUEST, ciaddr: '10.88.0.21' })).toMatchObject({ type: ACK, to: '10.88.0.21:68' });
});

test('options 66 and 67 for those who ask for them, with a NUL at the end', () => {
  const offer = ask({ type: DISCOVER, options: [[55, [1, 66, 67]], ...biosOptions] });
  expect(Buffer.from(offer.options.get(66) ?? []).toString()).toBe('10.77.0.1\0');
  expect(Buffer.from(offer.options.get(67) ?? []).toString()).toBe('undionly.kpxe\0');
  expect(bootFileOf(offer.bytes)).toBe('undionly.kpxe');
});

test('leases and declined addresses outlive the service', () => {
  windowOpen = true;
  const again = () => createEnrolmentPool(settings.enrolmentPool, leases);
  const mac = '52:54:00:00:00:a1';
  ask({ type: DISCOVER, mac });
  expect(ask({ type: REQUEST, mac, options: [ours, [50, '10.77.0.200']] }).type).toBe(ACK);
  pool = again();
  expect(ask({ type: DISCOVER, mac: '52:54:00:00:00:a2' }).address).toBe('10.77.0.201');
  ask({ type: DECLINE, mac, options: [[50, '10.77.0.200']] });
  pool = again();
  now += 120_000;
  // Only the declined one is left: the other was offered and not taken before the service ended.
  expect(ask({ type: DISCOVER, mac: '52:54:00:00:00:a3' }).address).toBe('10.77.0.201');
  ask({ type: RELEASE, mac, ciaddr: '10.77.0.200' });
  expect(again().held('52:54:00:00:00:a1' as MacAddress, now)).toBeUndefined();
});

test('INFORM is answered to the station, without a lease, and only at its own address', () => {
  const answer = ask({ type: INFORM, ciaddr: '10.77.0.21' });
  expect(answer).toMatchObject({ type: ACK, to: '10.77.0.21:68', address: '0.0.0.0' });
  expect(answer.options.has(51)).toBe(false);
  expect(answer.options.get(1)).toEqual([255, 255, 255, 0]);
  expect(ask({ type: INFORM, ciaddr: '8.8.8.8' })).toMatchObject(
    silence("INFORM from 8.8.8.8, the station's address is 10.77.0.21"),
  );
});

test('DECLINE of the reserved address is reported', () => {
  const { event, to } = ask({ type: DECLINE, options: [[50, '10.77.0.21']] });
  expect(event).toMatchObject({ event: 'declined', mac: known, address: '10.77.0.21' });
  expect(to).toBe('nobody');
});

test('the pool: one address a machine, until it is used up; released and expired ones come back', () => {
  windowOpen = true;
  const discover = (mac: string) => ask({ type: DISCOVER, mac });
  expect(discover('52:54:00:00:00:a1').address).toBe('10.77.0.200');
  expect(discover('52:54:00:00:00:a2').address).toBe('10.77.0.201');
  expect(discover('52:54:00:00:00:a1').address).toBe('10.77.0.200');
  expect(discover('52:54:00:00:00:a3')).toMatchObject(silence('the enrolment pool has no free address'));
  const release = ask({ type: RELEASE, mac: '52:54:00:00:00:a1', ciaddr: '10.77.0.200' });
  expect(release.event).toMatchObject({ event: 'released', address: '10.77.0.200' });
  expect(discover('52:54:00:00:00:a3').address).toBe('10.77.0.200');
  now += 3_600_000;
  expect(discover('52:54:00:00:00:a4').address).toBe('10.77.0.200');
});

test('the pool leases for minutes, also where a station has its address for a day', () => {
  windowOpen = true;
  const leaseOf = (mac: string) => {
    const bytes = request({ type: DISCOVER, mac });
    const from = { address: ipv4('0.0.0.0'), port: 68 };
    const day = { settings: { ...settings, leaseSeconds: 86400 }, decider, pool };
    const { send } = answerDatagram(bytes, { port: 67, from, now }, day);
    return optionsOf(send?.bytes ?? new Uint8Array(240)).get(51);
  };
  expect(leaseOf(stranger)).toEqual([0, 0, 2, 88]);
  expect(leaseOf(known)).toEqual([0, 1, 81, 128]);
});

test('nobody releases or declines the address of another machine', () => {
  windowOpen = true;
  ask({ type: DISCOVER, mac: '52:54:00:00:00:a1' });
  ask({ type: RELEASE, mac: '52:54:00:00:00:a2', ciaddr: '10.77.0.200' });
  ask({ type: DECLINE, mac: '52:54:00:00:00:a2', options: [[50, '10.77.0.200']] });
  expect(ask({ type: DISCOVER, mac: '52:54:00:00:00:a1' }).address).toBe('10.77.0.200');
});

test('RELEASE and DECLINE for another server change nothing here (RFC 2131 table 5)', () => {
  windowOpen = true;
  const other: [number, string] = [54, '10.77.0.2'];
  ask({ type: DISCOVER, mac: stranger });
  ask({ type: REQUEST, mac: stranger, options: [ours, [50, '10.77.0.200']] });
  const release = ask({ type: RELEASE, mac: stranger, ciaddr: '10.77.0.200', options: [other] });
  expect(release).toMatchObject(silence('the RELEASE is for another DHCP server, 10.77.0.2'));
  const decline = ask({ type: DECLINE, mac: stranger, options: [other, [50, '10.77.0.200']] });
  expect(decline).toMatchObject(silence('the DECLINE is for another DHCP server, 10.77.0.2'));
  expect(pool.held('52:54:00:00:00:99' as MacAddress, now)).toBe('10.77.0.200');
});

test('a declined pool address is left out', () => {
  windowOpen = true;
  ask({ type: DISCOVER, mac: stranger });
  ask({ type: DECLINE, mac: stranger, options: [[50, '10.77.0.200']] });
  expect(ask({ type: DISCOVER, mac: stranger }).address).toBe('10.77.0.201');
});

test('an enrolment goes on after the window closed and after the machine became a station', () => {
  windowOpen = true;
  ask({ type: DISCOVER, mac: stranger });
  const select = { type: REQUEST, mac: stranger, options: [ours, [50, '10.77.0.200']] as const };
  expect(ask(select).type).toBe(ACK);
  windowOpen = false;
  now += 300_000;
  const renew = { type: REQUEST, mac: stranger, ciaddr: '10.77.0.200' };
  expect(ask(renew)).toMatchObject({ type: ACK, address: '10.77.0.200' });
  enrolled = true;
  now += 300_000;
  expect(ask(renew)).toMatchObject({ type: ACK, address: '10.77.0.200' });
  expect(ask({ type: DISCOVER, mac: stranger }).address).toBe('10.77.0.21');
});

test('after a restart of the service a machine keeps the pool address that it uses', () => {
  windowOpen = true;
  const renew = { type: REQUEST, mac: stranger, ciaddr: '10.77.0.201' };
  expect(ask(renew)).toMatchObject({ type: ACK, address: '10.77.0.201' });
});

test("a server's message from a known station is ignored", () => {
  expect(ask({ type: ACK })).toMatchObject(silence("ACK is a server's message"));
});
