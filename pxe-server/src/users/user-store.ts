import * as z from 'zod';
import { RekindleError } from '#base/errors.ts';
import { inTransaction, type State } from '../site/state.ts';
import { hashPassword } from './password-hash.ts';
import { type Role, roleSchema } from './role.ts';

export const userNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a user name is letters, digits, dots, hyphens, at most 64');

/** Shortest password, characters; the question for a new one says it. */
export const shortestPassword = 10;

export const passwordSchema = z
  .string()
  .min(shortestPassword, `a password has at least ${shortestPassword} characters`)
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

/** In the order of their names. */
export function listUsers(state: State): Pick<User, 'name' | 'role'>[] {
  const rows = state.prepare('SELECT name, role, password_hash FROM users ORDER BY name').all();
  return rows.map((row) => userRowSchema.parse(row)).map(({ name, role }) => ({ name, role }));
}

/** @throws RekindleError `usage`: the name does not fit, or is taken; before anybody is asked for a password */
export function checkNewUser(state: State, name: string): void {
  check(userNameSchema, name, `Adding user ${JSON.stringify(name)}`);
  if (findUser(state, name) === undefined) return;
  throw new RekindleError('usage', `Adding user ${name}: there is such a user already`, {
    next: `Choose another name, or give this one a new password: rekindle user password ${name}`,
  });
}

/** @throws RekindleError `usage`: the name is taken, or name or password do not fit */
export async function addUser(
  state: State,
  user: { readonly name: string; readonly role: Role; readonly password: string },
): Promise<void> {
  checkNewUser(state, user.name);
  const password = check(passwordSchema, user.password, `Adding user ${user.name}`);
  state
    .prepare('INSERT INTO users (name, role, password_hash, created_at) VALUES (?, ?, ?, ?)')
    .run(user.name, user.role, await hashPassword(password), Date.now());
}

/** The old password, what was locked and whoever is logged on with it count no more. */
export async function changePassword(state: State, name: string, password: string): Promise<void> {
  const hash = await hashPassword(check(passwordSchema, password, `A new password for ${name}`));
  inTransaction(state, () => {
    state.prepare('UPDATE users SET password_hash = ? WHERE name = ?').run(hash, name);
    endSessions(state, name);
  });
}

/** @returns whether there was such a user. Names in records stay: they say who did what. */
export function removeUser(state: State, name: string): boolean {
  return inTransaction(state, () => {
    endSessions(state, name);
    return state.prepare('DELETE FROM users WHERE name = ?').run(name).changes > 0;
  });
}

/** A job that is open goes on: half a restore helps nobody. */
function endSessions(state: State, name: string): void {
  state
    .prepare(
      "DELETE FROM tokens WHERE technician = ? COLLATE NOCASE AND kind = 'session' AND how = 'technician'",
    )
    .run(name);
  state.prepare('DELETE FROM lock_outs WHERE subject = ?').run(`user:${name.toLowerCase()}`);
}

function check(schema: z.ZodType<string>, value: string, doing: string): string {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new RekindleError('usage', `${doing}: ${result.error.issues[0]?.message ?? 'it does not fit'}`, {
    next: 'Choose another one.',
  });
}
