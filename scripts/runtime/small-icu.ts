import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import { findSection } from './elf-sections.ts';

/**
 * Node carries the texts of every language (ICU, 33 MB). The runtime speaks English; with the rest gone, 9 of its 36 MB
 * compressed need not be loaded. What stays is what Node's own `--with-intl=small-icu` keeps.
 */

const readelf = { command: 'readelf', debianPackage: 'binutils' };
const icupkg = { command: 'icupkg', debianPackage: 'icu-devtools' };
const doing = "leaving out ICU's other languages";

/** Where the data are in the executable, bytes. */
interface Place {
  /** Name of the package inside, e.g. `icudt78l`: part of every item's name. */
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** Replaces the ICU data in a copy of Node by a smaller package of the same name; the file keeps its size. */
export async function removeOtherLanguages(node: string, workDirectory: string): Promise<void> {
  const { name, offset, size } = findIcuData(
    await runTool(doing, readelf, ['--dyn-syms', '--wide', node]),
    await runTool(doing, readelf, ['--section-headers', '--wide', node]),
  );
  const whole = join(workDirectory, `${name}.dat`);
  // icupkg names the items after the file that it writes.
  const small = join(workDirectory, 'small', basename(whole));
  await mkdir(join(workDirectory, 'small'), { recursive: true });
  await using file = await open(node, 'r+');
  const data = Buffer.alloc(size);
  await file.read(data, 0, size, offset);
  await writeFile(whole, data);
  const items = (await runTool(doing, icupkg, ['--list', whole])).split('\n').filter(Boolean);
  const list = join(workDirectory, 'icu-items.txt');
  await writeFile(list, `${items.filter((item) => !isNeeded(item)).join('\n')}\n`);
  await runTool(doing, icupkg, ['--remove', list, whole, small]);
  const kept = await readFile(small);
  if (kept.length > size) throw new RekindleError('unexpected', `${doing}: they became larger`);
  await file.write(Buffer.concat([kept, Buffer.alloc(size - kept.length)]), 0, size, offset);
}

/**
 * Reads two tables of `readelf`.
 * @throws RekindleError `unexpected` for an executable without ICU data, or with them in a section of another name
 */
export function findIcuData(symbols: string, sections: string): Place {
  const symbol = /([0-9a-f]{16})\s+(0x[0-9a-f]+|\d+)\s+OBJECT\s.*\b(icudt\d+)_dat\b/.exec(symbols);
  const section = findSection(sections, '.rodata');
  if (symbol === null || section === undefined) {
    throw new RekindleError('unexpected', `${doing}: Node's executable has no ICU data where they were`);
  }
  const [, address = '', size = '', name = ''] = symbol;
  return {
    // x86-64 is little-endian, and so are its data.
    name: `${name}l`,
    offset: Number.parseInt(address, 16) - section.address + section.offset,
    size: Number(size),
  };
}

const english = /\/(root|en|en_US|pool|res_index|ucadata|tzdbNames|supplementalData)\.\w+$/;
const language = /^[a-z]{2,3}(_[A-Za-z0-9]+)*\.res$/;

/** Root and English of each kind of text that formats, sorts or names time zones; tables without language. */
export function isNeeded(item: string): boolean {
  if (/^(translit|rbnf|lang|region|brkitr)\//.test(item)) return false;
  if (item.includes('/')) return english.test(item);
  if (item.endsWith('.cnv') || item === 'unames.icu' || item === 'confusables.cfu') return false;
  return !language.test(item) || /^(root|en|en_US|res_index)\.res$/.test(item);
}
