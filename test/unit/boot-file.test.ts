import { expect, test } from 'vitest';
import { bootFileFor } from '#pxe-server/boot/boot-file.ts';
import { ipv4, isInSubnet, parseIpv4Address } from '#pxe-server/boot/ipv4-address.ts';
import { loaderFiles } from '#pxe-server/boot/loader-files.ts';
import { debianLoaders } from '#pxe-server/boot/loader-name.ts';
import { formatMacAddress, type MacAddress, parseMacAddress } from '#pxe-server/boot/mac-address.ts';

test.each([
  ['bios', undefined, 'undionly.kpxe'],
  ['bios', 'ipxe-native', 'ipxe.pxe'],
  ['bios', 'lpxelinux', 'lpxelinux.0'],
  ['bios', 'signed-grub', 'undionly.kpxe'],
  ['uefi-x64', 'ipxe', 'snponly.efi'],
  ['uefi-x64', 'ipxe-native', 'ipxe.efi'],
  ['uefi-x64', 'signed-grub', 'shimx64.efi'],
  ['uefi-x64', 'pxelinux', 'snponly.efi'],
  ['ipxe-bios', 'pxelinux', 'pxelinux.0'],
  ['ipxe-uefi', 'signed-grub', 'shimx64.efi'],
  ['uefi-http-x64', undefined, 'http://10.77.0.1:8080/boot/snponly.efi'],
  ['ipxe-bios', 'ipxe-native', 'http://10.77.0.1:8080/boot/script.ipxe?mac=52:54:00:00:00:01'],
  ['ipxe-uefi', undefined, 'http://10.77.0.1:8080/boot/script.ipxe?mac=52:54:00:00:00:01'],
] as const)('%s with the loader %s loads %s', (firmwareKind, loader, bootFile) => {
  const machine = { mac: '52:54:00:00:00:01' as MacAddress, firmwareKind };
  const target = { kind: 'local-disk', ...(loader && { loader }) } as const;
  expect(bootFileFor(machine, target, 'http://10.77.0.1:8080')).toBe(bootFile);
});

test("the loaders of Debian's packages are there", async () => {
  const files = await loaderFiles();
  expect(files.size).toBe(14);
  expect(Buffer.from(files.get('snponly.efi') ?? []).toString('latin1', 0, 2)).toBe('MZ');
});

test('a missing loader names the package', async () => {
  const files = { ...debianLoaders, 'shimx64.efi': ['/nowhere/shimx64.efi', 'shim-signed'] } as const;
  await expect(loaderFiles(files)).rejects.toMatchObject({
    code: 'not-found',
    next: 'Install the Debian package shim-signed: apt-get install shim-signed',
  });
});

test.each([
  ['52:54:00:AA:00:01', '52:54:00:aa:00:01'],
  ['52-54-00-aa-00-01', '52:54:00:aa:00:01'],
  ['525400aa0001', '52:54:00:aa:00:01'],
  ['52:54:00-aa:00:01', undefined],
  ['52:54:00:aa:00', undefined],
  ['00:00:00:00:00:00', undefined],
  ['ff:ff:ff:ff:ff:ff', undefined],
])('MAC address %s is %s', (text, mac) => {
  expect(parseMacAddress(text)).toBe(mac);
});

test('chaddr of another length is no Ethernet address', () => {
  expect(formatMacAddress(new Uint8Array(16).fill(2))).toBeUndefined();
});

test('IPv4 addresses are four plain decimal numbers', () => {
  expect(parseIpv4Address('10.77.0.1')).toBe('10.77.0.1');
  for (const text of ['10.77.0', '10.77.0.256', '10.77.0.01', '10.77.0.1 ', '0x0a.1.1.1', '']) {
    expect(parseIpv4Address(text)).toBeUndefined();
  }
  expect(isInSubnet(ipv4('10.77.0.9'), ipv4('10.77.0.1'), ipv4('255.255.255.0'))).toBe(true);
  expect(isInSubnet(ipv4('10.77.1.9'), ipv4('10.77.0.1'), ipv4('255.255.255.0'))).toBe(false);
});
