import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';
import { type CpioEntry, formatCpio } from '#driver-packs/cpio.ts';

/** Other systems for the boot menu, small ones that say that they run; each into a folder of its own. */

const tool = (command: string, debianPackage: string) => ({ command, debianPackage });

/** YAML of the key `boot.systems` for what is made here, in folders of the same names below `boot`. */
export const otherSystems = `[
  { name: plant, title: Plant system, kind: linux, kernel: plant/vmlinuz, initrds: [plant/first, plant/second], commandLine: "console=tty0 console=ttyS0,115200 quiet plant.word=arrived" },
  { name: tools, title: Vendor tools, kind: iso, file: tools/tools.iso },
  { name: winpe, title: Windows PE, kind: winpe, wimboot: winpe/wimboot, bcd: winpe/BCD, bootSdi: winpe/boot.sdi, bootWim: winpe/boot.wim } ]`;

/** The served kernel with two initrds; what it says proves both of them and its command line. */
export const plantSays = /plant\.word=arrived[\s\S]*?the second initrd is here/;
export async function makePlantSystem(folder: string, kernel: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await copyFile(kernel, path.join(folder, 'vmlinuz'));
  const init = [
    '#!/bin/busybox sh',
    '/bin/busybox mount -t devtmpfs dev /dev',
    '/bin/busybox mount -t proc proc /proc',
    '/bin/busybox cat /proc/cmdline /second >/dev/console',
    'while :; do /bin/busybox sleep 60; done',
    '',
  ].join('\n');
  const first: CpioEntry[] = [
    { kind: 'directory', path: 'dev' },
    { kind: 'directory', path: 'proc' },
    { kind: 'file', path: 'init', mode: 0o755, bytes: Buffer.from(init) },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, bytes: await readFile('/bin/busybox') },
  ];
  const second = Buffer.from('the second initrd is here\n');
  await writeFile(path.join(folder, 'first'), formatCpio(first));
  await writeFile(
    path.join(folder, 'second'),
    formatCpio([{ kind: 'file', path: 'second', mode: 0o644, bytes: second }]),
  );
}

/** A CD for BIOS and UEFI whose GRUB shows a file of the CD. */
export const isoSays = /This file is on the CD/;
export async function makeToolsIso(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(path.join(tmpdir(), 'tools-iso-'));
  const inWork = (name: string) => path.join(work, name);
  const doing = 'making the CD of the test';
  await writeFile(inWork('hello.txt'), 'This file is on the CD of the lab\n');
  await writeFile(inWork('grub.cfg'), 'cat /hello.txt\nsleep 600\n');
  await writeFile(inWork('info'), 'CD of the lab\n');
  await runTool(doing, tool('grub-mkimage', 'grub-common'), [
    ...['-O', 'i386-pc-eltorito', '-o', inWork('bios.img'), '-c', inWork('grub.cfg'), '-p', '/'],
    ...['biosdisk', 'iso9660', 'cat', 'sleep'],
  ]);
  const fat = ['-i', inWork('efi.img')];
  const geometry = ['-C', '-T', '16384', '-h', '64', '-s', '32'];
  await runTool(doing, tool('mformat', 'mtools'), [...fat, ...geometry, '::']);
  await runTool(doing, tool('mmd', 'mtools'), [...fat, '::/EFI', '::/EFI/BOOT']);
  // The GRUB of Debian's own CDs: it finds its menu by the file `.disk/info`.
  const loader = '/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed';
  await runTool(doing, tool('mcopy', 'mtools'), [...fat, loader, '::/EFI/BOOT/BOOTX64.EFI']);
  await runTool(doing, tool('xorriso', 'xorriso'), [
    ...['-as', 'mkisofs', '-r', '-V', 'TOOLS', '-o', path.join(folder, 'tools.iso')],
    ...['-b', 'bios.img', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', '--grub2-boot-info'],
    ...['-eltorito-alt-boot', '-e', 'efi.img', '-no-emul-boot'],
    ...['-graft-points', ...['hello.txt', 'bios.img', 'efi.img'].map((name) => `/${name}=${inWork(name)}`)],
    ...[`/.disk/info=${inWork('info')}`, `/boot/grub/grub.cfg=${inWork('grub.cfg')}`],
  ]);
  await rm(work, { recursive: true });
}

/**
 * A Windows PE without Windows: a real WIM of wimlib, and files of the other names. Debian has no wimboot; a program in
 * its place (wimboot-stand-in.s) names the files that it was handed. Returns where the WIM without drivers is, and a
 * folder with a driver for the id of QEMU's card.
 */
export async function makeWindowsPe(folder: string): Promise<{ bootWim: string; drivers: string }> {
  const pe = path.join(folder, 'pe');
  const drivers = path.join(folder, 'drivers');
  const bootWim = path.join(folder, 'plain.wim');
  await mkdir(path.join(pe, 'Windows/System32'), { recursive: true });
  await mkdir(drivers, { recursive: true });
  await writeFile(path.join(pe, 'Windows/System32/startnet.cmd'), '@echo off\r\nwpeinit\r\n');
  await runTool('making the Windows PE of the test', tool('wimlib-imagex', 'wimtools'), [
    ...['capture', pe, bootWim, 'Windows PE of the lab', '--boot'],
  ]);
  const inf = [
    '[Version]\r\nSignature="$Windows NT$"\r\nClass=Net\r\nProvider="Lab"\r\nDriverVer=01/02/2024,1.0',
    '[Manufacturer]\r\n"Lab"=M,NTamd64\r\n[M.NTamd64]\r\n"Card"=I,PCI\\VEN_1AF4&DEV_1000',
    '[SourceDisksFiles]\r\ncard.sys=1\r\n',
  ];
  await writeFile(path.join(drivers, 'card.inf'), inf.join('\r\n'));
  await writeFile(path.join(drivers, 'card.sys'), 'no driver for anything');
  await writeFile(path.join(folder, 'BCD'), Buffer.alloc(24_576, 'boot configuration'));
  await writeFile(path.join(folder, 'boot.sdi'), Buffer.alloc(3_170_304, 'ram disk'));
  return { bootWim, drivers };
}

/** A program for BIOS in wimboot's place. */
export async function makeWimbootStandIn(file: string): Promise<void> {
  const source = path.join(import.meta.dirname, 'wimboot-stand-in.s');
  const doing = 'making what stands in for wimboot';
  await runTool(doing, tool('as', 'binutils'), ['--32', '-o', `${file}.o`, source]);
  await runTool(doing, tool('ld', 'binutils'), [
    ...['-m', 'elf_i386', '-Ttext', '0', '--oformat', 'binary', '-o', file, `${file}.o`],
  ]);
  await rm(`${file}.o`);
}

/** What the stand-in says of a file: its size in eight hexadecimal digits. */
export async function standInSays(name: string, file: string): Promise<RegExp> {
  const { size } = await stat(file);
  return new RegExp(`stand-in got ${name} size ${size.toString(16).padStart(8, '0')}`, 'i');
}

/** Share of the screen, of a PPM file, that has this colour. */
export async function shareOfColour(ppm: string, colour: readonly [number, number, number]): Promise<number> {
  const bytes = await readFile(ppm);
  const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(bytes.toString('latin1', 0, 64));
  if (header === null) throw new Error(`${ppm} is no picture of this kind`);
  const pixels = bytes.subarray(header[0].length);
  const wanted = Buffer.from(colour);
  let same = 0;
  for (let at = 0; at < pixels.length; at += 3) if (pixels.compare(wanted, 0, 3, at, at + 3) === 0) same++;
  return same / (Number(header[1]) * Number(header[2]));
}
