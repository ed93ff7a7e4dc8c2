import { expect, test } from 'vitest';
import { RekindleError } from '#base/errors.ts';
import {
  formatLocalDiskScript,
  formatRefusalScript,
  formatRuntimeScript,
  type RuntimeBootScript,
} from '#pxe-server/boot/boot-script.ts';

const recovery: RuntimeBootScript = {
  title: 'recovery of OS-SRV-1A',
  kernelUrl: 'http://10.77.0.1:8080/boot/vmlinuz',
  runtimeUrl: 'http://10.77.0.1:8080/boot/runtime.cpio.zst',
  driverPackUrl: 'http://10.77.0.1:8080/boot/driver-packs/OS-SRV-1A.cpio.zst',
  commandLine: [
    'rekindle.server=https://10.77.0.1:8443',
    `rekindle.mac=\${mac}`,
    'console=tty0',
    'console=ttyS0,115200',
    'quiet',
  ],
};

test('recovery: kernel, runtime, driver pack, and a way out', () => {
  expect(formatRuntimeScript(recovery)).toBe(`#!ipxe
echo Rekindle: recovery of OS-SRV-1A
:start
imgfree
set what the kernel
set url http://10.77.0.1:8080/boot/vmlinuz
kernel --name vmlinuz \${url} initrd=runtime initrd=driver-pack rekindle.server=https://10.77.0.1:8443 rekindle.mac=\${mac} console=tty0 console=ttyS0,115200 quiet || goto failed
set what the recovery runtime
set url http://10.77.0.1:8080/boot/runtime.cpio.zst
initrd --name runtime \${url} || goto failed
set what the driver pack of this station
set url http://10.77.0.1:8080/boot/driver-packs/OS-SRV-1A.cpio.zst
initrd --name driver-pack \${url} || goto failed
set what the loaded kernel
boot || goto failed
:failed
echo
echo Rekindle stopped at \${what}. The reason is in the line above.
echo From: \${url}
echo To:   \${mac}, \${ip}
echo Check the cable, and that the Rekindle service is running.
prompt --key l --timeout 15000 Press L to start from the local disk; trying again in 15 s ... && goto local_disk || goto start
:local_disk
iseq \${platform} efi && exit 1 ||
echo Rekindle: starting from the local disk
sanboot --no-describe --drive 0x80 || exit 1
`);
});

test('a station without driver pack loads one initrd', () => {
  const { driverPackUrl: _, ...withoutPack } = recovery;
  const script = formatRuntimeScript({ ...withoutPack, title: 'enrolment' });
  expect(script).not.toContain('driver-pack');
  expect(script.match(/^initrd /gm)).toHaveLength(1);
});

test('local disk', () => {
  expect(formatLocalDiskScript('OS-SRV-1A starts from its own disk')).toBe(`#!ipxe
echo Rekindle: OS-SRV-1A starts from its own disk
:local_disk
iseq \${platform} efi && exit 1 ||
echo Rekindle: starting from the local disk
sanboot --no-describe --drive 0x80 || exit 1
`);
});

test('a refusal can be read before the local disk starts', () => {
  expect(formatRefusalScript('this computer is not known')).toBe(`#!ipxe
echo Rekindle: this computer is not known
sleep 10
:local_disk
iseq \${platform} efi && exit 1 ||
echo Rekindle: starting from the local disk
sanboot --no-describe --drive 0x80 || exit 1
`);
});

test.each([
  ['a line break in a command line word', { commandLine: ['a=1\nshell'] }],
  ['a space in a command line word', { commandLine: ['a=1 b=2'] }],
  ['a second command in a word', { commandLine: ['a||shell'] }],
  ['an unknown iPXE setting', { commandLine: [`x=\${keep-san}`] }],
  ['a line break in the title', { title: 'x\nshell' }],
  ['a setting in the title', { title: `\${password}` }],
  ['a URL of another kind', { kernelUrl: 'ftp://10.77.0.1/x' }],
  ['a space in a URL', { runtimeUrl: 'http://10.77.0.1/x y' }],
])('refuses %s', (_, change) => {
  expect(() => formatRuntimeScript({ ...recovery, ...change })).toThrow(RekindleError);
});
