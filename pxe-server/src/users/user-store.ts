import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import type { State } from '../site/state.ts';
import { hashPassword } from './password-hash.ts';
import { type Role, roleSchema } from './role.ts';

export const userNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a user name is letters, digits, dots, hyphens, at most 64');

export const passwordSchema = z
  .string()
  .min(10, 'a password has at least 10 characters')
  .max(256, 'a password has at most 256 characters');

const userRowSchema = z.object({ name: z.string(), role: roleSchema, password_hash: z.string() });

export interface User {
  readonly name: string;
  readonly role: Role;
  readonly passwordHash: string;
}

/** Names are kept as written and compared without case: F12 consoles have their keyboards in strange states. */
export function findUser(state: State, name: string): User | undefined {
  const row = state.prepare('SELECT name, role, password_hash FROM users WHERE name = ?').get(name);
  if (row === undefined) return undefined;
  const user = userRowSchema.parse(row);
  return { name: user.name, role: user.role, passwordHash: user.password_hash };
}

export function countUsers(state: State): number {
  return Number(state.prepare('SELECT count(*) AS count FROM users').get()?.['count']);
}

/** @throws RekindleError `usage`: the name is taken, or name or password do not fit */
export async function addUser(
  state: State,
  user: { readonly name: string; readonly role: Role; readonly password: string },
): Promise<void> {
  const name = check(userNameSchema, user.name, `Adding user ${JSON.stringify(user.name)}`);
  const password = check(passwordSchema, user.password, `Adding user ${name}`);
  if (findUser(state, name) !== undefined) {
    throw new RekindleError('usage', `Adding user ${name}: there is such a user already`, {
      next: 'Choose another name.',
    });
  }
  state
    .prepare('INSERT INTO users (name, role, password_hash, created_at) VALUES (?, ?, ?, ?)')
    .run(name, user.role, await hashPassword(password), Date.now());
}

function check(schema: z.ZodType<string>, value: string, doing: string): string {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new RekindleError('usage', `${doing}: ${result.error.issues[0]?.message ?? 'it does not fit'}`);
}
