import { copyFile, open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';

const mformat = { command: 'mformat', debianPackage: 'mtools' };
const mmd = { command: 'mmd', debianPackage: 'mtools' };
const mcopy = { command: 'mcopy', debianPackage: 'mtools' };

/** What a machine prints that starts from this disk; SeaBIOS keeps the last character of a line to itself at times. */
export const tellTale = 'This is the local disk';

const sector = 512;
const partitionStart = 2048;
const partitionSectors = 16 * 2048;

/**
 * A disk that says so when a machine starts from it, by BIOS (its boot sector) and by UEFI, Secure Boot included (shim
 * and GRUB as Debian installs them).
 */
export async function makeTellTaleDisk(file: string): Promise<string> {
  const partition = `${file}.esp`;
  const doing = 'making the disk that says when it is started';
  await writeFile(partition, '');
  const at = ['-i', partition];
  await runTool(doing, mformat, [...at, '-C', '-T', String(partitionSectors), '-h', '64', '-s', '32', '::']);
  await runTool(doing, mmd, [...at, '::/EFI', '::/EFI/BOOT', '::/EFI/debian']);
  const configuration = `${file}.cfg`;
  await writeFile(configuration, `echo "${tellTale}"\nsleep 600\n`);
  for (const [source, target] of [
    ['/usr/lib/shim/shimx64.efi.signed', 'EFI/BOOT/BOOTX64.EFI'],
    ['/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed', 'EFI/BOOT/grubx64.efi'],
    // Its configuration is in the folder that Debian installs to, whatever folder it is started from.
    [configuration, 'EFI/debian/grub.cfg'],
  ] as const) {
    const copy = `${file}.part`;
    await copyFile(source, copy);
    await runTool(doing, mcopy, [...at, copy, `::/${target}`]);
    await rm(copy);
  }
  await using disk = await open(file, 'w');
  await disk.truncate((partitionStart + partitionSectors + 2048) * sector);
  await disk.write(bootSector(), 0, sector, 0);
  const content = await readFile(partition);
  await disk.write(content, 0, content.length, partitionStart * sector);
  await Promise.all([partition, configuration].map((each) => rm(each)));
  return path.resolve(file);
}

/** Prints the text through the BIOS (INT 10h, teletype) and halts; its table has one EFI system partition. */
function bootSector(): Buffer {
  const loadedAt = 0x7c00;
  const code = [
    ...[0x31, 0xc0, 0x8e, 0xd8], // xor ax, ax; mov ds, ax
    ...[0xbe, 0x00, 0x00], // mov si, text
    ...[0xac, 0x84, 0xc0, 0x74, 0x09], // next: lodsb; test al, al; jz halt
    ...[0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10], // mov ah, 0Eh; mov bx, 7; int 10h
    ...[0xeb, 0xf2], // jmp next
    ...[0xf4, 0xeb, 0xfd], // halt: hlt; jmp halt
  ];
  const bytes = Buffer.alloc(sector);
  bytes.set(code);
  bytes.writeUInt16LE(loadedAt + code.length, 5);
  bytes.write(`\r\n${tellTale} of the lab\r\n\0`, code.length, 'latin1');
  const entry = 446;
  bytes[entry] = 0x80;
  bytes[entry + 4] = 0xef;
  bytes.writeUInt32LE(partitionStart, entry + 8);
  bytes.writeUInt32LE(partitionSectors, entry + 12);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
}
