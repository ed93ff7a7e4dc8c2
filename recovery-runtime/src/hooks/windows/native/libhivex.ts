import { koffi, loadLibrary } from './koffi.ts';

/**
 * libhivex as it is (hivex(3)): a handle, and numbers for keys and values; 0 is none. What it hands out is copied
 * and freed here.
 */
export interface Libhivex {
  /** Null with errno. `writable`: what is changed is in memory until `commit`. */
  open(file: string, writable: boolean): unknown;
  close(handle: unknown): void;
  root(handle: unknown): number;
  child(handle: unknown, key: number, name: string): number;
  children(handle: unknown, key: number): number[];
  keyName(handle: unknown, key: number): string;
  value(handle: unknown, key: number, name: string): number;
  values(handle: unknown, key: number): number[];
  valueName(handle: unknown, value: number): string;
  /** Null with errno. */
  data(handle: unknown, value: number): { readonly type: number; readonly bytes: Buffer } | null;
  /** These are 0 or -1 with errno; `addChild` 0 with errno. */
  addChild(handle: unknown, key: number, name: string): number;
  deleteChild(handle: unknown, key: number): number;
  setValue(handle: unknown, key: number, value: HivexValue): number;
  commit(handle: unknown, file: string): number;
}

interface HivexValue {
  readonly name: string;
  readonly type: number;
  readonly bytes: Buffer;
}

const openForWriting = 4;

let library: Libhivex | undefined;

export function libhivex(): Libhivex {
  library ??= bind();
  return library;
}

function bind(): Libhivex {
  const k = koffi();
  const hivex = loadLibrary('libhivex.so.0', 'libhivex0');
  const free = loadLibrary('libc.so.6', 'libc6').func('void free(void *memory)');
  const setValueType = k.struct('hive_set_value', {
    key: 'char *',
    t: 'int',
    len: 'size_t',
    value: 'void *',
  });
  const open = hivex.func('void *hivex_open(const char *file, int flags)');
  const close = hivex.func('int hivex_close(void *handle)');
  const root = hivex.func('size_t hivex_root(void *handle)');
  const getChild = hivex.func('size_t hivex_node_get_child(void *handle, size_t node, const char *name)');
  const children = hivex.func('void *hivex_node_children(void *handle, size_t node)');
  const keyName = hivex.func('void *hivex_node_name(void *handle, size_t node)');
  const getValue = hivex.func('size_t hivex_node_get_value(void *handle, size_t node, const char *name)');
  const values = hivex.func('void *hivex_node_values(void *handle, size_t node)');
  const valueName = hivex.func('void *hivex_value_key(void *handle, size_t value)');
  const data = hivex.func(
    'void *hivex_value_value(void *handle, size_t value, _Out_ int *type, _Out_ size_t *length)',
  );
  const addChild = hivex.func('size_t hivex_node_add_child(void *handle, size_t parent, const char *name)');
  const deleteChild = hivex.func('int hivex_node_delete_child(void *handle, size_t node)');
  const setValue = hivex.func(
    'int hivex_node_set_value(void *handle, size_t node, const hive_set_value *value, int flags)',
  );
  const commit = hivex.func('int hivex_commit(void *handle, const char *file, int flags)');

  const text = (pointer: unknown): string => {
    if (pointer === null) return '';
    const copied = k.decode.string(pointer);
    free(pointer);
    return copied;
  };
  /** A list that ends with 0. */
  const numbers = (pointer: unknown): number[] => {
    if (pointer === null) return [];
    const list: number[] = [];
    for (let at = 0; ; at += 8) {
      const next = Number(k.decode(pointer, at, 'size_t'));
      if (next === 0) break;
      list.push(next);
    }
    free(pointer);
    return list;
  };
  const asC = ({ name, type, bytes }: HivexValue): object => ({
    key: name,
    t: type,
    len: bytes.length,
    value: bytes,
  });
  void setValueType;
  return {
    open: (file, writable) => open(file, writable ? openForWriting : 0),
    close: (handle) => void close(handle),
    root: (handle) => root(handle),
    child: (handle, key, name) => getChild(handle, key, name),
    children: (handle, key) => numbers(children(handle, key)),
    keyName: (handle, key) => text(keyName(handle, key)),
    value: (handle, key, name) => getValue(handle, key, name),
    values: (handle, key) => numbers(values(handle, key)),
    valueName: (handle, value) => text(valueName(handle, value)),
    data(handle, value) {
      const type: [number] = [0];
      const length: [number] = [0];
      const pointer = data(handle, value, type, length);
      if (pointer === null) return null;
      const bytes = Buffer.from(new Uint8Array(k.view(pointer, Number(length[0]))));
      free(pointer);
      return { type: type[0], bytes };
    },
    addChild: (handle, key, name) => addChild(handle, key, name),
    deleteChild: (handle, key) => deleteChild(handle, key),
    setValue: (handle, key, value) => setValue(handle, key, asC(value), 0),
    commit: (handle, file) => commit(handle, file, 0),
  };
}
