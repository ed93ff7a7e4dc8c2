import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { lastErrorName } from '../native/koffi.ts';
import { libhivex } from '../native/libhivex.ts';
import { decodeRegistryValue, encodeRegistryValue, type RegistryValue } from './registry-value.ts';

/** A key below the hive's root, with backslashes: `ControlSet001\Services`. The root itself is ''. */
export type KeyPath = string;

export interface Hive extends Disposable {
  hasKey(key: KeyPath): boolean;
  /** Names; empty when the key is not there. */
  listKeys(key: KeyPath): string[];
  listValues(key: KeyPath): string[];
  /** Null: no such key or value. The name '' is the key's default value. */
  read(key: KeyPath, name: string): RegistryValue | null;
}

export interface WritableHive extends Hive {
  createKey(key: KeyPath): void;
  /** Makes the keys that are missing above it. */
  write(key: KeyPath, name: string, value: RegistryValue): void;
  /** With all that is below it. */
  deleteKey(key: KeyPath): void;
  /** The changed hive, with the next sequence number. */
  toBytes(): Buffer;
}

/** @throws RekindleError `verification-failed`: libhivex does not take it for a hive */
export function openHive(bytes: Buffer, name: string): Hive {
  return open(bytes, name, false);
}

export function openHiveForWriting(bytes: Buffer, name: string): WritableHive {
  return open(bytes, name, true);
}

function open(bytes: Buffer, hiveName: string, writable: boolean): WritableHive {
  const hivex = libhivex();
  const doing = `opening the registry hive ${hiveName}`;
  const { handle, error } = withFile((file) => {
    fs.writeFileSync(file, bytes);
    const opened = hivex.open(file, writable);
    return { handle: opened, error: opened === null ? lastErrorName() : '' };
  });
  if (handle === null) {
    throw new RekindleError('verification-failed', doing, {
      cause: new Error(`libhivex refuses it: ${error}`),
      next: 'Restore another image of this station, or start it and let Windows repair itself.',
    });
  }
  const root = hivex.root(handle);

  const find = (key: KeyPath): number => {
    let at = root;
    for (const part of partsOf(key)) {
      at = hivex.child(handle, at, part);
      if (at === 0) return 0;
    }
    return at;
  };
  const must = (ok: boolean, what: string): void => {
    if (ok) return;
    throw new RekindleError('unexpected', `changing the registry hive ${hiveName}: ${what}`, {
      cause: new Error(`libhivex: ${lastErrorName()}`),
    });
  };
  const create = (key: KeyPath): number => {
    let at = root;
    for (const part of partsOf(key)) {
      const found = hivex.child(handle, at, part);
      const next = found === 0 ? hivex.addChild(handle, at, part) : found;
      must(next !== 0, `making ${key}`);
      at = next;
    }
    return at;
  };
  return {
    hasKey: (key) => find(key) !== 0,
    listKeys(key) {
      const at = find(key);
      return at === 0 ? [] : hivex.children(handle, at).map((child) => hivex.keyName(handle, child));
    },
    listValues(key) {
      const at = find(key);
      return at === 0 ? [] : hivex.values(handle, at).map((value) => hivex.valueName(handle, value));
    },
    read(key, name) {
      const at = find(key);
      const value = at === 0 ? 0 : hivex.value(handle, at, name);
      const data = value === 0 ? null : hivex.data(handle, value);
      return data === null ? null : decodeRegistryValue(data.type, data.bytes);
    },
    createKey: (key) => void create(key),
    write(key, name, value) {
      const { number, bytes } = encodeRegistryValue(value);
      must(
        hivex.setValue(handle, create(key), { name, type: number, bytes }) === 0,
        `writing ${name} of ${key}`,
      );
    },
    deleteKey(key) {
      const at = find(key);
      if (at === 0 || at === root) return;
      must(hivex.deleteChild(handle, at) === 0, `deleting ${key}`);
    },
    toBytes: () =>
      withFile((file) => {
        must(hivex.commit(handle, file) === 0, 'writing it out');
        return fs.readFileSync(file);
      }),
    [Symbol.dispose]: () => hivex.close(handle),
  };
}

const partsOf = (key: KeyPath): string[] => key.split('\\').filter(Boolean);

/** libhivex works on files: one that only this process can read, and that is gone again. */
function withFile<T>(use: (file: string) => T): T {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rekindle-hive-'));
  try {
    return use(path.join(folder, 'hive'));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
