import { expect, test } from 'vitest';
import { classify } from '#pxe-server/dhcp/client.ts';
import { parsePacket } from '#pxe-server/dhcp/packet.ts';
import {
  biosOptions,
  httpBootOptions,
  ipxeBiosDiscover,
  type Options,
  ovmfDiscover,
  request,
  uefiOptions,
} from '#test/support/dhcp-datagrams.ts';

function classified(bytes: Buffer) {
  const packet = parsePacket(bytes);
  return packet.kind === 'ignored' ? packet : classify(packet);
}
const discover = (options: Options = []) => classified(request({ type: 1, options }));

test('iPXE is iPXE although it says PXEClient, and its UUID is the one of the machine', () => {
  expect(classified(ipxeBiosDiscover)).toEqual({
    kind: 'netboot',
    mac: '52:54:00:00:00:01',
    xid: 0xd7e83f0b,
    messageType: 'DISCOVER',
    firmwareKind: 'ipxe-bios',
    architecture: 0,
    vendorClass: 'PXEClient',
    userClass: 'iPXE',
    networkInterface: 'UNDI 2.1',
    uuid: '11223344-5566-7788-99aa-bbccddeeff00',
  });
});

test('OVMF, as captured: the same UUID, no user class', () => {
  const client = classified(ovmfDiscover);
  expect(client).toMatchObject({
    mac: '52:54:00:00:00:01',
    firmwareKind: 'uefi-x64',
    architecture: 7,
    uuid: '11223344-5566-7788-99aa-bbccddeeff00',
  });
  expect(client).not.toHaveProperty('userClass');
});

test.each([
  ['BIOS', biosOptions, { firmwareKind: 'bios', architecture: 0 }],
  ['UEFI', uefiOptions, { firmwareKind: 'uefi-x64', uuid: '11223344-5566-7788-99aa-bbccddeeff00' }],
  ['UEFI HTTP Boot', httpBootOptions, { firmwareKind: 'uefi-http-x64', vendorClass: 'HTTPClient' }],
  [
    'UEFI numbered as in RFC 4578',
    [
      [93, [0, 9]],
      [60, 'PXEClient'],
    ],
    { firmwareKind: 'uefi-x64' },
  ],
  [
    'several architectures',
    [
      [93, [0, 6, 0, 7]],
      [60, 'PXEClient'],
    ],
    { firmwareKind: 'uefi-x64', architecture: 7 },
  ],
  [
    'architecture only in option 60',
    [[60, 'PXEClient:Arch:00007:UNDI:003000']],
    { firmwareKind: 'uefi-x64' },
  ],
  ['iPXE by option 175 alone', [...biosOptions, [175, [177, 1, 0]]], { firmwareKind: 'ipxe-bios' }],
  ['iPXE for UEFI', [...uefiOptions, [77, 'iPXE']], { firmwareKind: 'ipxe-uefi' }],
  [
    'user class with a length (RFC 3004)',
    [...uefiOptions, [77, '\x04iPXE']],
    { userClass: 'iPXE', firmwareKind: 'ipxe-uefi' },
  ],
  [
    'option 60 with a NUL',
    [
      [93, [0, 0]],
      [60, 'PXEClient\0'],
    ],
    { firmwareKind: 'bios' },
  ],
] as [string, Options, object][])('%s', (_, options, expected) => {
  expect(discover(options)).toMatchObject({ kind: 'netboot', ...expected });
});

test.each([
  ['absent', []],
  ['zeros', [[97, Array(17).fill(0)]]],
  ['all ones', [[97, [0, ...Array(16).fill(255)]]]],
  ['of another type', [[97, [1, ...Array(16).fill(7)]]]],
  ['short', [[97, [0, 1, 2]]]],
] as [string, Options][])('a UUID that is %s is none', (_, options) => {
  expect(discover([...biosOptions, ...options])).not.toHaveProperty('uuid');
});

test('a client without a netboot class only wants an address', () => {
  expect(discover([[60, 'udhcp 1.35.0']])).toMatchObject({ kind: 'plain', mac: '52:54:00:00:00:01' });
  expect(discover([[60, 'PXEClientele']])).toMatchObject({ kind: 'plain' });
});

test.each([
  ['no architecture', [[60, 'PXEClient']], []],
  [
    'ARM',
    [
      [60, 'PXEClient'],
      [93, [0, 11]],
    ],
    ['ARM 64 UEFI'],
  ],
  ['a 32-bit board, by option 60', [[60, 'PXEClient:Arch:00006:UNDI:003000']], ['x86 UEFI']],
  [
    'something new',
    [
      [60, 'PXEClient'],
      [93, [1, 0]],
    ],
    ['unknown architecture 256'],
  ],
] as [string, Options, string[]][])(
  '%s: known to want to boot, and that there is no loader',
  (_, options, platforms) => {
    expect(discover(options)).toMatchObject({ kind: 'unserved', mac: '52:54:00:00:00:01', platforms });
  },
);

test('all reasons are given at once', () => {
  const bytes = request({ type: 9, mac: '01:00:5e:00:00:01' });
  bytes[0] = 2;
  expect(classified(bytes)).toEqual({
    kind: 'ignored',
    reasons: [
      'it is a reply of another server',
      'no unicast Ethernet address (htype 1, hlen 6)',
      'unknown message type 9',
    ],
  });
});
