import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseLoadOption, partitionGuidOf } from '#runtime/firmware/load-option.ts';
import { bootOnceFrom } from '#scripts/rehearsal/uefi-boot-next.ts';
import { bootFirst, readVariables } from '#scripts/rehearsal/uefi-boot-order.ts';

/** One variable as EDK II writes it (VariableFormat.h, AUTHENTICATED_VARIABLE_HEADER). */
function variable(name: string, data: Buffer, state = 0x3f): Buffer {
  const header = Buffer.alloc(60);
  header.writeUInt16LE(0x55aa, 0);
  header[2] = state;
  const text = Buffer.from(`${name}\0`, 'utf16le');
  header.writeUInt32LE(text.length, 36);
  header.writeUInt32LE(data.length, 40);
  const whole = Buffer.concat([header, text, data]);
  return Buffer.concat([whole, Buffer.alloc((4 - (whole.length % 4)) % 4, 0xff)]);
}

function option(description: string): Buffer {
  return Buffer.concat([Buffer.from([1, 0, 0, 0, 4, 0]), Buffer.from(`${description}\0`, 'utf16le')]);
}

test('the chosen option comes first, the others stay in their order', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'boot-order-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, 'vars.fd');
  await writeFile(
    file,
    Buffer.concat([
      Buffer.alloc(64, 0xff),
      variable('BootOrder', Buffer.from([9, 0]), 0x3c),
      variable('Boot0001', option('UEFI PXEv4 (MAC:525400770001)')),
      variable('Boot0003', option('UEFI HTTPv4 (MAC:525400770001)')),
      variable('BootOrder', Buffer.from([1, 0, 2, 0, 3, 0])),
      Buffer.alloc(64, 0xff),
    ]),
  );
  await bootFirst(file, 'UEFI HTTPv4');
  const order = readVariables(await readFile(file)).filter(({ name }) => name === 'BootOrder');
  expect(order.map(({ data }) => [...data])).toEqual([[3, 0, 1, 0, 2, 0]]);
  await expect(bootFirst(file, 'UEFI Floppy')).rejects.toThrow('has no boot option');
});

test('an entry for a loader on a disk is there once, behind every other variable', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'boot-next-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, 'vars.fd');
  const before = [variable('Old', Buffer.from([1]), 0x3c), variable('Lang', Buffer.from('eng'))];
  await writeFile(file, Buffer.concat([Buffer.alloc(64, 0), ...before, Buffer.alloc(512, 0xff)]));
  const partitionGuid = '52454B49-4E44-4C45-8000-000000000004';
  const partition = {
    number: 4,
    startByte: 1 << 20,
    sizeBytes: 1 << 20,
    partitionType: '',
    name: '',
    partitionGuid,
  };
  const loader = '\\EFI\\rekindle\\shimx64.efi';
  await bootOnceFrom(file, { description: 'Rekindle recovery', partition, loader });
  const variables = readVariables(await readFile(file));
  expect(variables.map(({ name }) => name)).toEqual(['Lang', 'Boot0042', 'BootNext']);
  expect([...(variables[2]?.data ?? [])]).toEqual([0x42, 0]);
  const option = parseLoadOption(variables[1]?.data ?? Buffer.alloc(0));
  expect(option.description).toBe('Rekindle recovery');
  expect(partitionGuidOf(option)).toBe(partitionGuid);
  expect(Buffer.from(option.nodes[1]?.data ?? []).toString('utf16le')).toBe(`${loader}\0`);
});
