import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { formatError } from '#base/errors.ts';
import { readBootVariables, writeBootEntry, writeBootOrder } from '#runtime/firmware/efivars.ts';
import { makeTemporaryFolder, run } from '#test/support/restore-demo-disk.ts';

/** Variables in a small file system of their own, which can be full or read-only as firmware can. */
function variableStore(...options: string[]) {
  const folder = makeTemporaryFolder();
  run('mount', '-t', 'tmpfs', '-o', ['size=8k', ...options].join(','), 'none', folder.path);
  return {
    path: folder.path,
    [Symbol.dispose]() {
      run('umount', folder.path);
      folder[Symbol.dispose]();
    },
  };
}
const entry = (bytes: number) => ({
  number: '0001',
  label: 'debian',
  loadOption: Buffer.alloc(bytes, 1).toString('base64'),
});
const refusalOf = (writing: Promise<void>) => writing.then(() => '', formatError);

test('a firmware whose memory for variables is full says so, and what to do', async () => {
  using store = variableStore();
  fs.writeFileSync(path.join(store.path, 'dump-type0'), Buffer.alloc(4096));
  const refusal = await refusalOf(writeBootEntry(store.path, entry(6000)));
  expect(refusal).toContain("Boot0001: the firmware's memory for variables is full");
  expect(refusal).toContain('Next: The disk is restored. Delete boot entries');
});

test('a write-protected firmware says so', async () => {
  using store = variableStore();
  await writeBootOrder(store.path, ['0001', '000A']);
  expect((await readBootVariables(store.path)).order).toEqual(['0001', '000A']);
  run('mount', '-o', 'remount,ro', store.path);
  const refusal = await refusalOf(writeBootOrder(store.path, ['000A', '0001']));
  expect(refusal).toContain("BootOrder: the firmware's variables are write-protected");
  expect(refusal).toContain('choose the disk as first boot device there');
  expect((await readBootVariables(store.path)).order).toEqual(['0001', '000A']);
});
