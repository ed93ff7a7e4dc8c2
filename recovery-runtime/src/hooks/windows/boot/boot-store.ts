import type { HivePatch } from '../registry/hive-patch.ts';
import type { Hive } from '../registry/open-hive.ts';
import { type BootDevice, parseDeviceElement } from './device-element.ts';

/** A boot configuration data store: which loader starts from which partition. Names as bcdedit shows them. */
export interface BootStore {
  readonly bootManagerDevice: BootDevice | null;
  /** Identifier of the loader that starts when nobody chooses. */
  readonly defaultLoader: string | null;
  readonly loaders: readonly BootLoader[];
}

export interface BootLoader {
  /** With its braces, lower case. */
  readonly identifier: string;
  readonly description: string;
  /** Where its file is. */
  readonly device: BootDevice | null;
  /** Where Windows is. */
  readonly osDevice: BootDevice | null;
  /** Below the device, with backslashes. */
  readonly path: string;
  readonly systemRoot: string;
  readonly safeBoot: SafeBoot | null;
}

export type SafeBoot = 'minimal' | 'network' | 'dsrepair';

const bootManager = '{9dea862c-5cdd-4e70-acc1-f32b344d4795}';
/** Object type of a Windows loader: application, firmware-independent image, 3 = osloader. */
const windowsLoader = 0x10200003;
const elements = {
  device: '11000001',
  path: '12000002',
  description: '12000004',
  osDevice: '21000001',
  systemRoot: '22000002',
  defaultObject: '23000003',
  safeBoot: '25000080',
} as const;
/** BcdOSLoaderInteger_SafeBoot. */
const safeBootNumbers: Readonly<Record<SafeBoot, number>> = { minimal: 0, network: 1, dsrepair: 2 };

export function readBootStore(hive: Hive): BootStore {
  return {
    bootManagerDevice: readDevice(hive, bootManager, elements.device),
    defaultLoader: readText(hive, bootManager, elements.defaultObject)?.toLowerCase() ?? null,
    loaders: hive.listKeys('Objects').flatMap((identifier): BootLoader[] => {
      const type = hive.read(`Objects\\${identifier}\\Description`, 'Type');
      if (type?.type !== 'dword' || type.value !== windowsLoader) return [];
      return [
        {
          identifier: identifier.toLowerCase(),
          description: readText(hive, identifier, elements.description) ?? '',
          device: readDevice(hive, identifier, elements.device),
          osDevice: readDevice(hive, identifier, elements.osDevice),
          path: readText(hive, identifier, elements.path) ?? '',
          systemRoot: readText(hive, identifier, elements.systemRoot) ?? '',
          safeBoot: readSafeBoot(hive, identifier),
        },
      ];
    }),
  };
}

/** What `bcdedit /set {identifier} safeboot dsrepair` writes; null: what `/deletevalue` does. */
export function safeBootPatch(identifier: string, safeBoot: SafeBoot | null): HivePatch {
  const key = elementKey(identifier, elements.safeBoot);
  if (safeBoot === null) return [{ kind: 'no-key', key }];
  const value = Buffer.alloc(8);
  value.writeUInt32LE(safeBootNumbers[safeBoot]);
  return [{ kind: 'value', key, name: 'Element', value: { type: 'binary', value } }];
}

function readSafeBoot(hive: Hive, identifier: string): SafeBoot | null {
  const value = readElement(hive, identifier, elements.safeBoot);
  if (value?.type !== 'binary' || value.value.length < 4) return null;
  const number = value.value.readUInt32LE(0);
  const names = Object.keys(safeBootNumbers) as SafeBoot[];
  return names.find((name) => safeBootNumbers[name] === number) ?? null;
}

const elementKey = (identifier: string, element: string): string =>
  `Objects\\${identifier}\\Elements\\${element}`;
const readElement = (hive: Hive, identifier: string, element: string) =>
  hive.read(elementKey(identifier, element), 'Element');

function readText(hive: Hive, identifier: string, element: string): string | null {
  const value = readElement(hive, identifier, element);
  return value?.type === 'string' ? value.value : null;
}

function readDevice(hive: Hive, identifier: string, element: string): BootDevice | null {
  const value = readElement(hive, identifier, element);
  return value?.type === 'binary' ? parseDeviceElement(value.value) : null;
}
