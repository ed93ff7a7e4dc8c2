import type { Hive, KeyPath, WritableHive } from './open-hive.ts';
import { type RegistryValue, sameRegistryValue } from './registry-value.ts';

/** One thing that is to be so in a hive; it is nothing that happens, so twice is like once. */
export type HiveEdit =
  | { readonly kind: 'value'; readonly key: KeyPath; readonly name: string; readonly value: RegistryValue }
  | { readonly kind: 'no-key'; readonly key: KeyPath };

/** Later edits are about what earlier ones left. */
export type HivePatch = readonly HiveEdit[];

/** The edits that the hive does not show yet; empty: it is as the patch wants it. */
export function missingEdits(hive: Hive, patch: HivePatch): HiveEdit[] {
  return patch.filter((edit) => !isTrue(hive, edit));
}

function isTrue(hive: Hive, edit: HiveEdit): boolean {
  switch (edit.kind) {
    case 'no-key':
      return !hive.hasKey(edit.key);
    case 'value': {
      const found = hive.read(edit.key, edit.name);
      return found !== null && sameRegistryValue(found, edit.value);
    }
  }
}

export function applyEdit(hive: WritableHive, edit: HiveEdit): void {
  switch (edit.kind) {
    case 'no-key':
      hive.deleteKey(edit.key);
      break;
    case 'value':
      hive.write(edit.key, edit.name, edit.value);
      break;
  }
}

/** `Services\X: Start`, for a sentence. */
export function describeEdit(edit: HiveEdit): string {
  return 'name' in edit ? `${edit.key}: ${edit.name === '' ? '(Default)' : edit.name}` : edit.key;
}
