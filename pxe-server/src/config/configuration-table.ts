import * as z from 'zod';
import { configurationSchema } from './configuration.ts';

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

/** JSON Schema of `rekindle.yaml`, for editors. */
export function configurationJsonSchema(): JsonSchema {
  return z.toJSONSchema(configurationSchema, { io: 'input' }) as JsonSchema;
}

/** The documentation table: one row a key, in the schema's order. */
export function formatConfigurationTable(): string {
  const rows = rowsOf(configurationJsonSchema(), '');
  return ['| key | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function rowsOf(schema: JsonSchema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    if (value.description === undefined) return rowsOf(value, key);
    const initial = value.default === undefined ? '' : `\`${JSON.stringify(value.default)}\``;
    return [`| \`${key}\` | ${initial} | ${value.description} |`];
  });
}
