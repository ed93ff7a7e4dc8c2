import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';
import { type Configuration, configurationSchema } from './configuration.ts';

/** One thing that is wrong in the file: where (line from 1), which key, and a sentence. */
export interface ConfigurationError {
  readonly line: number;
  readonly key: string;
  readonly message: string;
}

export type ParsedConfiguration =
  | { readonly configuration: Configuration }
  | { readonly errors: readonly ConfigurationError[] };

export function parseConfiguration(text: string): ParsedConfiguration {
  const parsed = parseYaml(text, configurationSchema);
  return 'errors' in parsed ? parsed : { configuration: parsed.value };
}

export type ParsedYaml<Value> =
  | { readonly value: Value }
  | { readonly errors: readonly ConfigurationError[] };

/**
 * Reports every error at once: a person should not have to start the service once per mistake.
 * @param added keys that are not the file's to say
 */
export function parseYaml<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  added: Readonly<Record<string, unknown>> = {},
): ParsedYaml<z.output<Schema>> {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0) {
    return {
      errors: document.errors.map((error) => ({
        line: lineCounter.linePos(error.pos[0]).line,
        key: '',
        message: `not YAML: ${error.message}`,
      })),
    };
  }
  const written: unknown = document.toJS({ maxAliasCount: 10 }) ?? {};
  const whole = isPlainObject(written) ? { ...written, ...added } : written;
  const parsed = schema.safeParse(whole);
  if (parsed.success) return { value: parsed.data };
  const errors = parsed.error.issues.flatMap((issue) => errorsOf(issue, document, lineCounter));
  return { errors: errors.sort((a, b) => a.line - b.line) };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function errorsOf(
  issue: z.core.$ZodIssue,
  document: Document.Parsed,
  lineCounter: LineCounter,
): ConfigurationError[] {
  const at = (path: readonly PropertyKey[], message: string): ConfigurationError => ({
    line: lineOf(document, lineCounter, path),
    key: path.map(String).join('.'),
    message,
  });
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => at([...issue.path, key], 'is no key that Rekindle knows'));
  }
  const isOfAnotherType = issue.code === 'invalid_type' || issue.code === 'invalid_union';
  const absent = isOfAnotherType && document.getIn(issue.path) === undefined;
  const said = issue.message.replace('Invalid discriminator value. Expected', 'is none of');
  return [at(issue.path, absent ? 'is required' : said)];
}

/** Line of the key, or of the nearest key above it that is there. */
function lineOf(document: Document.Parsed, lineCounter: LineCounter, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const parent = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const last = path[depth - 1];
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === last)
      : undefined;
    const node = pair?.key ?? document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
  }
  return 1;
}

/** `rekindle.yaml:4: dhcp.mod: is no key that Rekindle knows`, one line an error. */
export function formatConfigurationErrors(file: string, errors: readonly ConfigurationError[]): string {
  return errors
    .map(({ line, key, message }) => `${file}:${line}: ${key === '' ? '' : `${key}: `}${message}`)
    .join('\n');
}
