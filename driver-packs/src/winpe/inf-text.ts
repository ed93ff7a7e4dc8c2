/**
 * Reader of the text of Windows set-up information files ("General Syntax Rules for INF Files", Microsoft Learn):
 * sections of entries, strings by %name%, comments, continued lines. What the entries mean is in inf-file.ts.
 */

export interface InfEntry {
  /** Left of `=`, undefined for a line without one. */
  readonly key: string | undefined;
  readonly values: readonly string[];
}

/** By section name in lower case; a section that comes twice is one. */
export type InfSections = ReadonlyMap<string, readonly InfEntry[]>;

/** UTF-16 with or without a byte order mark, UTF-8 with one, else the ANSI code page, read as Latin-1. */
export function decodeInf(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString('utf16le', 2);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return swapped(bytes.subarray(2));
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return bytes.toString('utf8', 3);
  // An INF begins with a letter of ASCII, a bracket, a comment or a line end: half of each UTF-16 unit is zero.
  const start = bytes.subarray(0, 64 - (64 % 2));
  if (start.length >= 4 && start.every((byte, at) => at % 2 === 0 || byte === 0))
    return bytes.toString('utf16le');
  if (start.length >= 4 && start.every((byte, at) => at % 2 === 1 || byte === 0)) return swapped(bytes);
  return bytes.toString('latin1');
}

function swapped(bytes: Buffer): string {
  return Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2)))
    .swap16()
    .toString('utf16le');
}

export function parseInfSections(text: string): InfSections {
  const sections = new Map<string, InfEntry[]>();
  let current: InfEntry[] | undefined;
  for (const line of logicalLines(text)) {
    const [, name] = /^\[([^\]]*)\]/.exec(line) ?? [];
    if (name !== undefined) {
      const key = name.trim().toLowerCase();
      current = sections.get(key) ?? [];
      sections.set(key, current);
    } else current?.push(parseEntry(line));
  }
  return withStrings(sections);
}

/** Without comments and empty lines; a `\` at the end of a line joins it with the next. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let open = '';
  for (const raw of text.split(/\r\n|\n|\r/)) {
    const line = `${open}${withoutComment(raw).trim()}`;
    if (line.endsWith('\\') && !/%\\$|:\\$/.test(line)) {
      open = line.slice(0, -1);
      continue;
    }
    open = '';
    if (line !== '') lines.push(line);
  }
  if (open !== '') lines.push(open);
  return lines;
}

function withoutComment(line: string): string {
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '"') quoted = !quoted;
    else if (line[at] === ';' && !quoted) return line.slice(0, at);
  }
  return line;
}

/** `key = value, "a value, quoted"`; two quotes inside of quotes are one. */
function parseEntry(line: string): InfEntry {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  let key: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const one = line[at] as string;
    if (one === '"' && quoted && line[at + 1] === '"') part += line[++at];
    else if (one === '"') quoted = !quoted;
    else if (one === '=' && !quoted && key === undefined && parts.length === 0) {
      key = part.trim();
      part = '';
    } else if (one === ',' && !quoted) {
      parts.push(part.trim());
      part = '';
    } else part += one;
  }
  return { key, values: [...parts, part.trim()] };
}

/** Puts [Strings] in; a section for a language fills what the plain one lacks. `%%` is a percent sign. */
function withStrings(sections: Map<string, InfEntry[]>): InfSections {
  const strings = new Map<string, string>();
  const tables = [...sections].filter(([name]) => name === 'strings' || name.startsWith('strings.'));
  for (const [, entries] of tables.sort(([a], [b]) => b.length - a.length))
    for (const { key, values } of entries)
      if (key !== undefined) strings.set(key.toLowerCase(), values[0] ?? '');
  const put = (text: string): string =>
    text.replace(/%([^%]*)%/g, (whole, name: string) =>
      name === '' ? '%' : (strings.get(name.trim().toLowerCase()) ?? whole),
    );
  return new Map(
    [...sections].map(([name, entries]) => [
      name,
      entries.map(({ key, values }) => ({
        key: key === undefined ? undefined : put(key),
        values: values.map(put),
      })),
    ]),
  );
}
