import type { HiveEdit, HivePatch } from '#runtime/hooks/windows/registry/hive-patch.ts';
import { encodeRegistryValue, type RegistryValue } from '#runtime/hooks/windows/registry/registry-value.ts';

/**
 * The patch as a .reg file (Windows Registry Editor Version 5.00; UTF-16LE with its mark) for Wine.
 * @param prefix where the hive is loaded: `HKEY_LOCAL_MACHINE\SYSTEM`
 */
export function formatRegistryFile(patch: HivePatch, prefix: string): Buffer {
  const lines = ['Windows Registry Editor Version 5.00'];
  for (const edit of patch) lines.push('', ...formatEdit(edit, prefix));
  return Buffer.from(`\ufeff${lines.join('\r\n')}\r\n`, 'utf16le');
}

function formatEdit(edit: HiveEdit, prefix: string): string[] {
  const key = edit.key === '' ? prefix : `${prefix}\\${edit.key}`;
  switch (edit.kind) {
    case 'no-key':
      return [`[-${key}]`];
    case 'value':
      return [`[${key}]`, `${formatName(edit.name)}=${formatValue(edit.value)}`];
  }
}

function formatValue(value: RegistryValue): string {
  if (value.type === 'string' && !/[\r\n\0]/.test(value.value)) return quote(value.value);
  if (value.type === 'dword') return `dword:${(value.value >>> 0).toString(16).padStart(8, '0')}`;
  const { number, bytes } = encodeRegistryValue(value);
  const kind = value.type === 'binary' ? 'hex' : `hex(${number.toString(16)})`;
  return `${kind}:${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(',')}`;
}

const formatName = (name: string): string => (name === '' ? '@' : quote(name));
const quote = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
