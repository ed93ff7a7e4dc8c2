import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '#base/errno.ts';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import { moduleName } from './module-index.ts';

const modinfo = { command: 'modinfo', debianPackage: 'kmod' };

export interface MissingFirmware {
  readonly module: string;
  /** As the module asks for it, e.g. bnx2/bnx2-mips-09-6.2.1b.fw */
  readonly file: string;
}

export interface FirmwareFiles {
  readonly found: readonly { readonly name: string; readonly bytes: Buffer }[];
  readonly missing: readonly MissingFirmware[];
  /** By module name, whether they are there or not. */
  readonly wanted: ReadonlyMap<string, string[]>;
}

/** Looks up what `modinfo` says that the modules may ask for; the first directory that has a file wins. */
export async function findFirmware(
  modulePaths: readonly string[],
  directories: readonly string[],
): Promise<FirmwareFiles> {
  if (modulePaths.length === 0) return { found: [], missing: [], wanted: new Map() };
  const description = await runTool('reading which firmware the modules need', modinfo, modulePaths);
  const wanted = parseFirmware(description);
  const found = new Map<string, Buffer>();
  const missing: MissingFirmware[] = [];
  for (const { module, file } of wanted) {
    if (found.has(file)) continue;
    const bytes = await readFirst(directories.map((directory) => join(directory, file)));
    if (bytes === undefined) missing.push({ module, file });
    else found.set(file, bytes);
  }
  return {
    found: [...found].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    missing,
    wanted: new Map(
      wanted.map(({ module }) => [
        module,
        wanted.filter((each) => each.module === module).map(({ file }) => file),
      ]),
    ),
  };
}

/** Reads `filename:` and `firmware:` lines of modinfo's description of several modules. */
function parseFirmware(description: string): MissingFirmware[] {
  const wanted: MissingFirmware[] = [];
  let module = '';
  for (const line of description.split('\n')) {
    const [, key, value = ''] = /^(filename|firmware):\s+(.*)$/.exec(line) ?? [];
    if (key === 'filename') module = moduleName(value);
    else if (key === 'firmware') wanted.push({ module, file: value });
  }
  return wanted;
}

async function readFirst(paths: readonly string[]): Promise<Buffer | undefined> {
  for (const path of paths) {
    try {
      return await readFile(path);
    } catch (cause) {
      if (!isErrno(cause, 'ENOENT')) {
        throw new RekindleError('unexpected', `cannot read firmware file ${path}`, { cause });
      }
    }
  }
  return undefined;
}
