import { decodeInf, type InfEntry, type InfSections, parseInfSections } from './inf-text.ts';

/** What an INF file says about its driver, as far as WinPE on x64 is concerned. */
export interface InfFile {
  /** `Net`, `SCSIAdapter`, `HDC`, … */
  readonly driverClass: string;
  readonly provider: string;
  /** ISO date and version of DriverVer; empty when it has none. */
  readonly date: string;
  readonly version: string;
  readonly catalog: string | undefined;
  /** Devices that it installs on x64. */
  readonly models: readonly InfModel[];
  /** Files that its x64 source lists name, in lower case; they have to lie beside it. */
  readonly files: readonly string[];
}

export interface InfModel {
  readonly description: string;
  /** Hardware id and compatible ids, in upper case, e.g. PCI\VEN_8086&DEV_10D3. */
  readonly ids: readonly string[];
}

/** Undefined when it is no INF file with a signature of Windows. */
export function parseInf(bytes: Buffer): InfFile | undefined {
  const sections = parseInfSections(decodeInf(bytes));
  const version = sections.get('version');
  const value = (name: string): string | undefined =>
    version?.find(({ key }) => key?.toLowerCase() === name)?.values.join(',');
  if (!/^\$(windows nt|chicago|windows 95)\$$/i.test(value('signature') ?? '')) return undefined;
  const [date = '', driverVersion = ''] = (value('driverver') ?? '').split(',').map((part) => part.trim());
  const [month = '', day = '', year = ''] = date.split(/[/-]/);
  return {
    driverClass: value('class') ?? '',
    provider: value('provider') ?? '',
    date: /^\d{4}$/.test(year) ? `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}` : '',
    version: driverVersion,
    catalog: value('catalogfile.ntamd64') ?? value('catalogfile.nt') ?? value('catalogfile'),
    models: readModels(sections),
    files: readFiles(sections),
  };
}

/**
 * [Manufacturer] names models sections, each with the platforms it is decorated for. `NTamd64` with whatever follows
 * (versions, product types, builds) counts for x64; an undecorated one only when there is none for x64.
 */
function readModels(sections: InfSections): InfModel[] {
  return (sections.get('manufacturer') ?? []).flatMap(({ key, values }) => {
    const [name = '', ...decorations] = key === undefined ? [] : values;
    const plain = (name === '' ? (key ?? '') : name).toLowerCase();
    const amd64 = decorations.map((each) => each.toLowerCase()).filter((each) => /^ntamd64(\.|$)/.test(each));
    const wanted = amd64.length > 0 ? amd64.map((each) => `${plain}.${each}`) : [plain];
    return wanted.flatMap((section) => (sections.get(section) ?? []).map(toModel));
  });
}

function toModel({ key, values }: InfEntry): InfModel {
  const ids = values.slice(1).map((id) => id.toUpperCase());
  return { description: key ?? '', ids: ids.filter((id) => id !== '') };
}

function readFiles(sections: InfSections): string[] {
  const lists = ['sourcedisksfiles', 'sourcedisksfiles.amd64', 'sourcedisksfiles.ntamd64'];
  return lists
    .flatMap((name) => sections.get(name) ?? [])
    .flatMap(({ key }) => (key === undefined ? [] : [key.toLowerCase()]));
}
