import { readFile, writeFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import { findSection } from './elf-sections.ts';

/**
 * Parts of Node that the runtime never comes to and that cost every start their share of the download: 3 of 28 MB
 * compressed. The file keeps its size and its layout; what is blank compresses to nothing.
 */

const readelf = { command: 'readelf', debianPackage: 'binutils' };
const doing = 'leaving out what the runtime has no use for in Node';

/**
 * Tables for unwinding C++ stacks. Node is compiled without exceptions; what is lost is the native half of the stack
 * that Node prints when V8 itself breaks.
 */
const unwinding: readonly string[] = ['.eh_frame_hdr', '.eh_frame'];
/** WebAssembly as text: the parsers of TypeScript and of `fetch`. Shorter texts may be anything. */
const shortestWebAssembly = 50_000;

export async function removeUnusedParts(node: string): Promise<void> {
  const sections = await runTool(doing, readelf, ['--section-headers', '--wide', node]);
  const bytes = await readFile(node);
  for (const name of unwinding) {
    const section = findSection(sections, name);
    if (section === undefined) {
      throw new RekindleError('unexpected', `${doing}: its executable has no section ${name}`);
    }
    bytes.fill(0, section.offset, section.offset + section.size);
  }
  // Still base64, which a text in a program has to remain.
  for (const { start, end } of base64Runs(bytes, shortestWebAssembly)) bytes.fill('A', start, end);
  await writeFile(node, bytes);
}

const isBase64 = new Uint8Array(256);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/') {
  isBase64[character.charCodeAt(0)] = 1;
}

/** Where so many characters of base64 follow one another. */
export function base64Runs(
  bytes: Uint8Array,
  shortest: number,
): { readonly start: number; readonly end: number }[] {
  const runs: { start: number; end: number }[] = [];
  let start = 0;
  for (let index = 0; index <= bytes.length; index++) {
    if (index < bytes.length && isBase64[bytes[index] ?? 0] === 1) continue;
    if (index - start >= shortest) runs.push({ start, end: index });
    start = index + 1;
  }
  return runs;
}
