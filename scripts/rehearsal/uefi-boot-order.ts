import { readFile, writeFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';

/**
 * The boot order in a file of UEFI variables, as EDK II keeps them (MdeModulePkg, VariableFormat.h, authenticated
 * variables): what a person sets in the firmware's setup menu.
 */

interface Variable {
  readonly name: string;
  readonly dataStart: number;
  readonly data: Buffer;
}

const startId = 0x55aa;
const headerBytes = 60;
const nameSizeAt = 36;
const dataSizeAt = 40;
const stateAt = 2;
/** VAR_ADDED: written and not replaced since. */
const added = 0x3f;

/** Every variable that counts; headers are aligned to four bytes. */
export function readVariables(store: Buffer): Variable[] {
  const variables: Variable[] = [];
  for (let at = 0; at + headerBytes < store.length; at += 4) {
    if (store.readUInt16LE(at) !== startId || store[at + stateAt] !== added) continue;
    const nameSize = store.readUInt32LE(at + nameSizeAt);
    const dataSize = store.readUInt32LE(at + dataSizeAt);
    const dataStart = at + headerBytes + nameSize;
    if (nameSize < 4 || nameSize > 256 || dataStart + dataSize > store.length) continue;
    const name = store.toString('utf16le', at + headerBytes, dataStart - 2);
    variables.push({ name, dataStart, data: store.subarray(dataStart, dataStart + dataSize) });
  }
  return variables;
}

/** Behind the last variable, replaced and deleted ones among them; they follow each other without a gap. */
export function findFreeSpace(store: Buffer): number {
  let at = store.findIndex(
    (_, index) =>
      index % 4 === 0 &&
      index + headerBytes < store.length &&
      store.readUInt16LE(index) === startId &&
      store[index + stateAt] !== 0xff &&
      store.readUInt32LE(index + nameSizeAt) <= 256,
  );
  if (at === -1) throw new RekindleError('not-found', 'these are no UEFI variables');
  while (store.readUInt16LE(at) === startId) {
    const end = at + headerBytes + store.readUInt32LE(at + nameSizeAt) + store.readUInt32LE(at + dataSizeAt);
    at = (end + 3) & ~3;
  }
  return at;
}

/**
 * Puts the first boot option whose description begins with these words first; the store keeps its size.
 * @throws RekindleError `not-found` when the firmware has not made such an option yet
 */
export async function bootFirst(file: string, description: string): Promise<void> {
  const store = await readFile(file);
  const variables = readVariables(store);
  const wanted = variables.find(({ name, data }) => {
    // EFI_LOAD_OPTION: attributes, length of the device path, description.
    return /^Boot[0-9A-F]{4}$/.test(name) && data.toString('utf16le', 6).startsWith(description);
  });
  const order = variables.find(({ name }) => name === 'BootOrder');
  if (wanted === undefined || order === undefined) {
    throw new RekindleError('not-found', `${file} has no boot option "${description}"`);
  }
  const number = Number.parseInt(wanted.name.slice(4), 16);
  const numbers = Array.from({ length: order.data.length / 2 }, (_, index) =>
    order.data.readUInt16LE(index * 2),
  );
  for (const [index, each] of [number, ...numbers.filter((other) => other !== number)].entries()) {
    store.writeUInt16LE(each, order.dataStart + index * 2);
  }
  await writeFile(file, store);
}
