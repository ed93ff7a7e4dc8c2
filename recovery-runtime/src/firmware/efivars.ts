import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import type { BootEntry } from '#images/format/image-manifest.ts';
import type { BootVariables } from './boot-entries.ts';
import { parseLoadOption } from './load-option.ts';

/** Where Linux shows the firmware's variables, when it was started by UEFI. */
export const efivarsFolder = '/sys/firmware/efi/efivars';
/** EFI_GLOBAL_VARIABLE (UEFI 2.10, section 3.3). */
const globalVariable = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
/** NON_VOLATILE | BOOTSERVICE_ACCESS | RUNTIME_ACCESS: what section 3.3 demands of Boot#### and BootOrder. */
const attributes = 7;
const attributeBytes = 4;
const bootEntryFile = new RegExp(`^Boot([0-9A-F]{4})-${globalVariable}$`);

const run = promisify(execFile);

/** Boot#### and BootOrder from efivarfs; a file there is four bytes of attributes, then the value. */
export async function readBootVariables(folder: string): Promise<BootVariables> {
  const entries: BootEntry[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const number = bootEntryFile.exec(name)?.[1];
    if (number === undefined) continue;
    const bytes = (await readFile(join(folder, name))).subarray(attributeBytes);
    entries.push({ number, label: labelOf(bytes), loadOption: bytes.toString('base64') });
  }
  return { entries, order: await readBootOrder(folder) };
}

async function readBootOrder(folder: string): Promise<string[]> {
  try {
    const bytes = (await readFile(variableFile(folder, 'BootOrder'))).subarray(attributeBytes);
    return Array.from({ length: bytes.length >> 1 }, (_, index) => bytes.readUInt16LE(index * 2)).map(
      (number) => number.toString(16).toUpperCase().padStart(4, '0'),
    );
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return [];
    throw cause;
  }
}

/** @throws RekindleError `unexpected`: which variable the firmware did not take */
export async function writeBootEntry(folder: string, entry: BootEntry): Promise<void> {
  await writeVariable(folder, `Boot${entry.number}`, Buffer.from(entry.loadOption, 'base64'));
}

/** @throws RekindleError `unexpected` */
export async function writeBootOrder(folder: string, order: readonly string[]): Promise<void> {
  const value = Buffer.alloc(order.length * 2);
  for (const [index, number] of order.entries()) value.writeUInt16LE(Number.parseInt(number, 16), index * 2);
  await writeVariable(folder, 'BootOrder', value);
}

/** One write call a variable: efivarfs passes each one to the firmware as a whole SetVariable. */
async function writeVariable(folder: string, name: string, value: Uint8Array): Promise<void> {
  const file = variableFile(folder, name);
  const header = Buffer.alloc(attributeBytes);
  header.writeUInt32LE(attributes);
  const bytes = Buffer.concat([header, value]);
  try {
    await writeFile(file, bytes);
  } catch (cause) {
    if (!isErrno(cause, 'EPERM')) throw notTaken(name, cause);
    // The kernel marks variables that it does not know to be harmless as immutable.
    try {
      await run('chattr', ['-i', file]);
      await writeFile(file, bytes);
    } catch (secondCause) {
      throw notTaken(name, isErrno(secondCause, 'ENOSPC') ? secondCause : cause);
    }
  }
}

function variableFile(folder: string, name: string): string {
  return join(folder, `${name}-${globalVariable}`);
}

function labelOf(loadOption: Uint8Array): string {
  try {
    return parseLoadOption(loadOption).description;
  } catch {
    return '';
  }
}

/** Why firmware refuses a variable, and what helps; the kernel's words say neither. */
const refusals: readonly {
  readonly codes: readonly string[];
  readonly why: string;
  readonly next: string;
}[] = [
  {
    codes: ['ENOSPC', 'EDQUOT'],
    why: "the firmware's memory for variables is full",
    next: 'The disk is restored. Delete boot entries that nobody needs in the firmware set-up, then restore again: only this step is left to do. Or choose the disk as first boot device there.',
  },
  {
    codes: ['EROFS', 'EACCES', 'EPERM'],
    why: "the firmware's variables are write-protected",
    next: 'The disk is restored. Lift the protection of the boot order in the firmware set-up, or choose the disk as first boot device there.',
  },
];
const otherwise = {
  why: 'the firmware did not take it',
  next: 'The disk is restored. Enter the firmware set-up and choose the disk as first boot device by hand.',
};

function notTaken(name: string, cause: unknown): RekindleError {
  const { why, next } = refusals.find(({ codes }) => isErrno(cause, ...codes)) ?? otherwise;
  return new RekindleError('unexpected', `writing the firmware variable ${name}: ${why}`, { cause, next });
}
