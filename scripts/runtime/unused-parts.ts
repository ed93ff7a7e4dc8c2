import { readFile, writeFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import { type ElfSection, findSection } from './elf-sections.ts';

/**
 * Parts of Node that the runtime never comes to and that cost every start their share of the download: 2 of 29 MB
 * compressed. The file keeps its size and its layout; what is blank compresses to nothing.
 */

const readelf = { command: 'readelf', debianPackage: 'binutils' };
const nm = { command: 'nm', debianPackage: 'binutils' };
const doing = 'leaving out what the runtime has no use for in Node';

/**
 * Tables for unwinding C++ stacks. Node is compiled without exceptions; what is lost is the native half of the stack
 * that Node prints when V8 itself breaks.
 */
const unwinding: readonly string[] = ['.eh_frame_hdr', '.eh_frame'];
/** Machine code of LIEF, with which Node builds single executables: by its name space as the compiler writes it. */
const unusedCode = /4LIEF/;
const nodesOwnCode = /4node/;
/** `ret`: the start of Node makes some objects of LIEF, which may as well be nothing. */
const returnAtOnce = 0xc3;
/** WebAssembly as text: the parsers of TypeScript and of `fetch`. What is shorter stays. */
const shortestWebAssembly = 50_000;
/** Base64 of what every WebAssembly module begins with (WebAssembly 1.0, 5.5.15: `\0asm`). */
const webAssemblyMagic = 'AGFzbQ';

/** @param unstripped the executable that `node` was, with the names of its functions */
export async function removeUnusedParts(node: string, unstripped: string): Promise<void> {
  const sections = await runTool(doing, readelf, ['--section-headers', '--wide', node]);
  const bytes = await readFile(node);
  const section = (name: string): ElfSection => {
    const found = findSection(sections, name);
    if (found !== undefined) return found;
    throw new RekindleError('unexpected', `${doing}: its executable has no section ${name}`);
  };
  for (const { offset, size } of unwinding.map(section)) bytes.fill(0, offset, offset + size);
  const text = section('.text');
  const symbols = await runTool(doing, nm, ['--print-size', '--defined-only', unstripped]);
  for (const { address, size } of someOf(unusedFunctions(symbols, text), 'functions of LIEF')) {
    const start = address - text.address + text.offset;
    bytes.fill(returnAtOnce, start, start + size);
  }
  // Still base64, which a text in a program has to remain.
  const texts = someOf(webAssemblyTexts(bytes, shortestWebAssembly), 'WebAssembly as text');
  for (const { start, end } of texts) bytes.fill('A', start, end);
  await writeFile(node, bytes);
}

/** Another Node may have it in another form: that is looked at by a person, and not built. */
function someOf<T>(found: readonly T[], what: string): readonly T[] {
  if (found.length > 0) return found;
  throw new RekindleError('unexpected', `${doing}: its executable has no ${what}`);
}

/** Functions of LIEF in the section, from what `nm --print-size` prints. Addresses and sizes in bytes. */
export function unusedFunctions(
  symbols: string,
  text: ElfSection,
): { readonly address: number; readonly size: number }[] {
  const found: { address: number; size: number }[] = [];
  for (const [, hexAddress = '', hexSize = '', name = ''] of symbols.matchAll(
    /^([0-9a-f]{16}) ([0-9a-f]{16}) [tTwW] (\S+)$/gm,
  )) {
    const [address, size] = [Number.parseInt(hexAddress, 16), Number.parseInt(hexSize, 16)];
    const isInside = address >= text.address && address + size <= text.address + text.size;
    if (isInside && unusedCode.test(name) && !nodesOwnCode.test(name)) found.push({ address, size });
  }
  return found;
}

const isBase64 = new Uint8Array(256);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') {
  isBase64[character.charCodeAt(0)] = 1;
}

/** Where so many characters of base64 follow one another, and are a WebAssembly module. */
export function webAssemblyTexts(
  bytes: Uint8Array,
  shortest: number,
): { readonly start: number; readonly end: number }[] {
  const runs: { start: number; end: number }[] = [];
  let start = 0;
  for (let index = 0; index <= bytes.length; index++) {
    if (index < bytes.length && isBase64[bytes[index] ?? 0] === 1) continue;
    if (index - start >= shortest && isWebAssembly(bytes, start)) runs.push({ start, end: index });
    start = index + 1;
  }
  return runs;
}

const isWebAssembly = (bytes: Uint8Array, start: number): boolean =>
  Buffer.from(bytes.subarray(start, start + webAssemblyMagic.length)).toString('latin1') === webAssemblyMagic;
