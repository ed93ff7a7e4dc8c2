import { RekindleError } from '#base/errors.ts';
import { readExtendedAttribute, writeExtendedAttribute } from '../native/extended-attributes.ts';

/** ntfs-3g's attribute for a file's security descriptor, self-relative as Windows stores it. */
export const aclAttribute = 'system.ntfs_acl';

const system = Buffer.from('010100000000000512000000', 'hex');
const administrators = Buffer.from('01020000000000052000000020020000', 'hex');

/**
 * `O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)`: SYSTEM and administrators have full access, nobody else any, and
 * nothing is inherited (MS-DTYP 2.4.6). What ntfs-3g writes by itself lets everybody change a file, and a service
 * that runs as SYSTEM from such a file is anybody's.
 */
export const lockedDescriptor = selfRelative(system, [system, administrators]);

function selfRelative(owner: Buffer, full: readonly Buffer[]): Buffer {
  const entries = full.map((sid) => {
    const entry = Buffer.alloc(8);
    // Access allowed, inherited by files and folders, all rights.
    entry.writeUInt8(0, 0);
    entry.writeUInt8(3, 1);
    entry.writeUInt16LE(8 + sid.length, 2);
    entry.writeUInt32LE(0x001f01ff, 4);
    return Buffer.concat([entry, sid]);
  });
  const list = Buffer.alloc(8);
  list.writeUInt8(2, 0);
  list.writeUInt16LE(8 + entries.reduce((sum, entry) => sum + entry.length, 0), 2);
  list.writeUInt16LE(entries.length, 4);
  const head = Buffer.alloc(20);
  head.writeUInt8(1, 0);
  // Self-relative, with a list, protected from inheritance, inherited automatically.
  head.writeUInt16LE(0x8000 | 0x1000 | 0x0400 | 0x0004, 2);
  const listAt = head.length;
  const ownerAt = listAt + list.length + entries.reduce((sum, entry) => sum + entry.length, 0);
  head.writeUInt32LE(ownerAt, 4);
  head.writeUInt32LE(ownerAt + owner.length, 8);
  head.writeUInt32LE(listAt, 16);
  return Buffer.concat([head, list, ...entries, owner, owner]);
}

/** Gives a file or folder to SYSTEM and administrators only, and looks whether it is so. */
export function lock(path: string): void {
  writeExtendedAttribute(path, aclAttribute, lockedDescriptor);
  if (isLocked(path)) return;
  throw new RekindleError(
    'verification-failed',
    `locking ${path}: its access rights are not what was written`,
  );
}

export function isLocked(path: string): boolean {
  return readExtendedAttribute(path, aclAttribute)?.equals(lockedDescriptor) === true;
}
