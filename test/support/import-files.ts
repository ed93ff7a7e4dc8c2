import fs from 'node:fs';
import { afterEach, expect } from 'vitest';
import { importImage } from '#images/convert/import-image.ts';
import { type ImportFormat, inspectVirtualDisk } from '#images/convert/inspect-virtual-disk.ts';
import type { PassportDisk } from '#images/passport/hardware-passport.ts';
import { captureKey, captureStation, somePassportDisk } from './capture-image-of.ts';
import { demoDisk, run, writeAt } from './restore-demo-disk.ts';
import { somePassport } from './some-passport.ts';

/** Imports a virtual disk file as an image of the demo station. */
export async function importFile(
  file: string,
  more: {
    store: string;
    disks?: readonly PassportDisk[];
    format?: ImportFormat;
    acceptSize?: boolean;
    onProgress?: () => void;
  },
) {
  const {
    store,
    disks = [somePassportDisk(demoDisk.sizeBytes)],
    format,
    acceptSize = false,
    onProgress,
  } = more;
  const source = await inspectVirtualDisk(file, format);
  return importImage({
    sources: [source],
    slots: [],
    ...(onProgress === undefined ? {} : { onProgress }),
    acceptSize,
    store,
    station: captureStation,
    signingKey: captureKey,
    computerName: 'OS-SRV-1A',
    stationRole: 'server',
    consistency: 'crash',
    passport: { ...somePassport(), disks: [...disks] },
  });
}

/**
 * After each test nothing of an import is left: no program, no mount. What it makes for itself lies in this folder, and
 * can be told from that of other tests.
 * @returns the programs that run now
 */
export function watchImports(folder: () => string): () => string[] {
  const helpers = (): string[] =>
    run('ps', '-eo', 'args')
      .split('\n')
      .filter(
        (line) => /^(qemu-nbd|nbdfuse|vhdimount) /.test(line) && line.includes(`${folder()}/rekindle-`),
      );
  afterEach(async () => {
    await expect.poll(helpers, { timeout: 30_000 }).toEqual([]);
    expect(fs.readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(`${folder()}/rekindle-`);
  });
  return helpers;
}

/** GUIDs of VHDX metadata items, as their bytes are in the file ([MS-VHDX] 2.6.2). */
export const vhdxItem = {
  fileParameters: '3767a1ca36fa434db3b633f0aa44e76b',
  logicalSectorSize: '1dbf41816fa90947ba47f233a8faab5f',
} as const;

/** Writes over the value of a VHDX metadata item. @param skip bytes of it that stay */
export function setVhdxItem(file: string, item: keyof typeof vhdxItem, skip: number, value: number): void {
  const bytes = fs.readFileSync(file);
  const metadata = bytes.indexOf(Buffer.from('metadata'));
  const entry = bytes.indexOf(Buffer.from(vhdxItem[item], 'hex'), metadata);
  writeAt(file, Uint8Array.of(value & 0xff, value >> 8), metadata + bytes.readUInt32LE(entry + 16) + skip);
}
