import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import type { Confirmed } from '#runtime/engine/confirmed.ts';
import { type BootVariables, planBootEntries } from '#runtime/firmware/boot-entries.ts';
import { readBootVariables, writeBootEntry, writeBootOrder } from '#runtime/firmware/efivars.ts';
import { parseLoadOption, partitionGuidOf } from '#runtime/firmware/load-option.ts';
import { repairBootEntries } from '#runtime/steps/repair-boot-entries.ts';
import type { FirmwareBootEntries } from '#runtime/workflow-machine.ts';

/** "debian" on partition 1, LBA 2048, 1048576 sectors, by hand after UEFI 2.10, 3.1.3 and 10.3.5.1. */
const debian = hex(`
  01000000 6200
  6400 6500 6200 6900 6100 6e00 0000
  04 01 2a00  01000000 0008000000000000 0000100000000000
              33221100 5544 7766 8899 aabbccddeeff  02 02
  04 04 3400  5c00 4500 4600 4900 5c00 6400 6500 6200 6900 6100 6e00 5c00
              7300 6800 6900 6d00 7800 3600 3400 2e00 6500 6600 6900 0000
  7f ff 0400
`);
const debianGuid = '00112233-4455-6677-8899-AABBCCDDEEFF';
/** "net": PciRoot(0), no partition; what firmware makes by itself. */
const network = hex('01000000 1000 6e00 6500 7400 0000  02 01 0c00 d041030a 00000000  7f ff 0400');

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}
const entry = (number: string, label: string, bytes: Buffer) => ({
  number,
  label,
  loadOption: bytes.toString('base64'),
});
const guids = new Set([debianGuid]);
const wanted = {
  entries: [entry('0004', 'debian', debian), entry('0001', 'net', network)],
  order: ['0001', '0004'],
};

describe('load option', () => {
  test('description and the partition it starts from', () => {
    const option = parseLoadOption(debian);
    expect(option.description).toBe('debian');
    expect(option.nodes.map(({ type, subType }) => [type, subType])).toEqual([
      [4, 1],
      [4, 4],
      [0x7f, 0xff],
    ]);
    expect(partitionGuidOf(option)).toBe(debianGuid);
    expect(partitionGuidOf(parseLoadOption(network))).toBeUndefined();
  });
  test('every truncation is refused with a sentence', () => {
    for (let length = 0; length < debian.length; length += 1) {
      expect(() => parseLoadOption(debian.subarray(0, length))).toThrow(/reading a UEFI boot entry: /);
    }
  });
  test('a node of length 0 does not loop', () => {
    expect(() => parseLoadOption(hex('01000000 0400 0000 04010000'))).toThrow(/says it has 0 bytes/);
  });
  test('a description of a million characters is read, not put on the stack', () => {
    const long = Buffer.concat([hex('01000000 0000'), Buffer.alloc(2_000_000, 'A\0'), hex('0000')]);
    expect(parseLoadOption(long).description).toHaveLength(1_000_000);
  });
});

describe('pain 18: plan of boot entries', () => {
  test('a new disk: the entry is written under its number, first, before what the firmware has', () => {
    const plan = planBootEntries(
      { entries: [entry('0000', 'net', network)], order: ['0000'] },
      wanted,
      guids,
    );
    expect(plan.write).toEqual([entry('0004', 'debian', debian)]);
    expect(plan.order).toEqual(['0004', '0000']);
  });
  test('already right: nothing to do', () => {
    const plan = planBootEntries(
      { entries: [entry('0004', 'debian', debian)], order: ['0004', '0001'] },
      wanted,
      guids,
    );
    expect(plan).toMatchObject({ write: [], changesOrder: false });
  });
  test('there under another number: only the order changes', () => {
    const current = {
      entries: [entry('0007', 'debian', debian), entry('0001', 'net', network)],
      order: ['0001'],
    };
    expect(planBootEntries(current, wanted, guids)).toMatchObject({ write: [], order: ['0007', '0001'] });
  });
  test('its number taken by a foreign entry: that one stays, ours gets the lowest free number', () => {
    const current = {
      entries: [entry('0000', 'net', network), entry('0004', 'net', network)],
      order: ['0004', '0000'],
    };
    const plan = planBootEntries(current, wanted, guids);
    expect(plan.write.map(({ number }) => number)).toEqual(['0001']);
    expect(plan.order).toEqual(['0001', '0004', '0000']);
  });
  test('an older entry of the same partition under its number is replaced', () => {
    const older = Buffer.from(debian);
    older[0] = 0;
    const plan = planBootEntries({ entries: [entry('0004', 'debian', older)], order: [] }, wanted, guids);
    expect(plan.write.map(({ number }) => number)).toEqual(['0004']);
  });
  test("an image without an entry of its own leaves the firmware's order alone", () => {
    const current = { entries: [entry('0001', 'net', network)], order: ['0001'] };
    const plan = planBootEntries(
      current,
      { entries: [entry('0001', 'net', network)], order: ['0001'] },
      guids,
    );
    expect(plan).toMatchObject({ write: [], own: [], changesOrder: false, order: ['0001'] });
  });
});

describe('efivarfs files', () => {
  test('attributes 7, then the value; read back as written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rekindle-efivars-'));
    try {
      await writeBootEntry(folder, entry('000A', 'debian', debian));
      await writeBootOrder(folder, ['000A', '0001']);
      const guid = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
      expect(readdirSync(folder).sort()).toEqual([`Boot000A-${guid}`, `BootOrder-${guid}`]);
      expect(readFileSync(join(folder, `BootOrder-${guid}`)).toString('hex')).toBe('070000000a000100');
      expect(await readBootVariables(folder)).toEqual({
        entries: [entry('000A', 'debian', debian)],
        order: ['000A', '0001'],
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
  test('no BootOrder yet is an empty one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rekindle-efivars-'));
    expect(await readBootVariables(folder)).toEqual({ entries: [], order: [] });
    rmSync(folder, { recursive: true });
  });
});

describe('the step that puts the boot entry right', () => {
  const manifest = {
    firmware: { kind: 'uefi', bootEntries: wanted.entries, bootOrder: wanted.order },
    disks: [{ volumes: [{ partitionGuid: debianGuid }] }],
  } as unknown as ImageManifest;
  const confirmed = {} as Confirmed;
  const firmwareWith = (variables: BootVariables, forgets = false) => {
    const held = { variables };
    const change = (next: BootVariables) => {
      if (!forgets) held.variables = next;
    };
    const firmware: FirmwareBootEntries = {
      read: async () => held.variables,
      writeEntry: async (written) =>
        change({ ...held.variables, entries: [...held.variables.entries, written] }),
      writeOrder: async (order) => change({ ...held.variables, order }),
    };
    return { held, firmware };
  };
  const repair = (firmware: FirmwareBootEntries | undefined) =>
    repairBootEntries.run({ confirmed, manifest, firmware }, { say: () => {}, progress: () => {} });

  test('writes it, puts it first, says so', async () => {
    const { held, firmware } = firmwareWith({ entries: [entry('0000', 'net', network)], order: ['0000'] });
    expect((await repair(firmware)).sentence).toBe('"debian" written as Boot0004 and put first.');
    expect(held.variables.order).toEqual(['0004', '0000']);
    expect((await repair(firmware)).sentence).toBe('"debian" is first in the boot order.');
  });
  test('a firmware that takes it and does not keep it is caught', async () => {
    const { firmware } = firmwareWith({ entries: [], order: [] }, true);
    await expect(repair(firmware)).rejects.toMatchObject({ code: 'verification-failed' });
  });
  test('BIOS has none', async () => {
    expect(await repair(undefined)).toMatchObject({ skipped: true });
  });
});
