import { describe, expect, it } from 'vitest';
import { openState } from '#pxe-server/site/state.ts';
import { lockOutOf, nextFailures, stricter } from '#pxe-server/users/lock-out.ts';
import { logOn } from '#pxe-server/users/log-on.ts';
import { hashPassword, isPassword } from '#pxe-server/users/password-hash.ts';
import { mayRole } from '#pxe-server/users/role.ts';
import { addUser } from '#pxe-server/users/user-store.ts';

const policy = { tries: 3, lockMinutes: 15 };
const minute = 60_000;

describe('lock-out policy', () => {
  it('counts down, locks at the limit, opens again after the time', () => {
    expect(lockOutOf(undefined, policy, 0)).toEqual({ kind: 'open', triesLeft: 3 });
    expect(lockOutOf({ count: 2, lastAt: 0 }, policy, 1000)).toEqual({ kind: 'open', triesLeft: 1 });
    expect(lockOutOf({ count: 3, lastAt: 0 }, policy, minute)).toEqual({
      kind: 'locked',
      retryAfterSeconds: 14 * 60,
    });
    expect(lockOutOf({ count: 3, lastAt: 0 }, policy, 15 * minute)).toEqual({ kind: 'open', triesLeft: 3 });
  });

  it('starts to count anew after the time', () => {
    expect(nextFailures({ count: 3, lastAt: 0 }, policy, 16 * minute)).toEqual({
      count: 1,
      lastAt: 16 * minute,
    });
    expect(nextFailures({ count: 1, lastAt: 0 }, policy, minute)).toEqual({ count: 2, lastAt: minute });
  });

  it('never locks for longer than the policy says when the clock was set back', () => {
    expect(lockOutOf({ count: 3, lastAt: 100 * minute }, policy, 0)).toEqual({
      kind: 'locked',
      retryAfterSeconds: 15 * 60,
    });
  });

  it('takes the stricter of user and machine', () => {
    const locked = { kind: 'locked', retryAfterSeconds: 5 } as const;
    expect(stricter({ kind: 'open', triesLeft: 1 }, locked)).toEqual(locked);
    expect(stricter({ kind: 'open', triesLeft: 2 }, { kind: 'open', triesLeft: 1 })).toMatchObject({
      triesLeft: 1,
    });
  });
});

describe('log-on', () => {
  it('forgets the names that nobody has, so that guessing does not fill the state', async () => {
    const state = openState(':memory:');
    const tryAt = (technician: string, now: number) =>
      logOn(state, { technician, password: 'x', machine: technician }, policy, now);
    await Promise.all(['a1', 'a2', 'a3'].map((name) => tryAt(name, 0)));
    await tryAt('b', 15 * minute);
    const subjects = state.prepare('SELECT subject FROM lock_outs ORDER BY subject').all();
    expect(subjects.map(({ subject }) => subject)).toEqual(['machine:b', 'user:b']);
  });

  const attempt = (technician: string, password: string, machine = 'a') => ({
    technician,
    password,
    machine,
  });

  it('counts wrong passwords per user and per machine, and the right one takes the count back', async () => {
    const state = openState(':memory:');
    await addUser(state, { name: 'erika', role: 'technician', password: 'correct horse' });
    expect(await logOn(state, attempt('erika', 'x'), policy)).toEqual({
      kind: 'wrong-password',
      triesLeft: 2,
    });
    expect(await logOn(state, attempt('ERIKA', 'correct horse'), policy)).toMatchObject({
      kind: 'logged-on',
      user: { name: 'erika' },
    });
    for (let n = 0; n < 3; n++) await logOn(state, attempt('erika', 'x', 'b'), policy);
    expect(await logOn(state, attempt('erika', 'correct horse', 'c'), policy)).toMatchObject({
      kind: 'locked',
    });
    expect(await logOn(state, attempt('other', 'correct horse', 'b'), policy)).toMatchObject({
      kind: 'locked',
    });
    const later = Date.now() + 16 * minute;
    expect(await logOn(state, attempt('erika', 'correct horse', 'b'), policy, later)).toMatchObject({
      kind: 'logged-on',
    });
  });

  it('answers an unknown user as it answers a wrong password', async () => {
    const state = openState(':memory:');
    await addUser(state, { name: 'erika', role: 'technician', password: 'correct horse' });
    for (let n = 0; n < 4; n++) {
      const known = await logOn(state, attempt('erika', 'x', 'm1'), policy, 0);
      expect(await logOn(state, attempt('nobody', 'x', 'm2'), policy, 0)).toEqual(known);
    }
  });

  it('does not let parallel tries slip through one count', async () => {
    const state = openState(':memory:');
    await addUser(state, { name: 'erika', role: 'technician', password: 'correct horse' });
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, n) => logOn(state, attempt('erika', 'x', `m${n}`), policy)),
    );
    expect(results.filter((result) => result.kind === 'wrong-password')).toHaveLength(2);
  });

  it('refuses a short password and a name twice', async () => {
    const state = openState(':memory:');
    await expect(addUser(state, { name: 'erika', role: 'admin', password: 'short' })).rejects.toThrow('10');
    await addUser(state, { name: 'erika', role: 'admin', password: 'long enough' });
    await expect(addUser(state, { name: 'Erika', role: 'admin', password: 'long enough' })).rejects.toThrow(
      'already',
    );
  });
});

describe('password hash', () => {
  it('knows its password and no other, and refuses damaged texts', async () => {
    const hash = await hashPassword('pass wörd');
    expect(await isPassword('pass wörd', hash)).toBe(true);
    expect(await isPassword('pass wo\u0308rd', hash)).toBe(true);
    expect(await isPassword('pass word', hash)).toBe(false);
    expect(await isPassword('pass wörd', 'scrypt$1$2')).toBe(false);
  });
});

describe('roles', () => {
  it('lets a technician restore, and who manages the service not', () => {
    expect(mayRole('technician', 'restore')).toBe(true);
    expect(mayRole('technician', 'capture')).toBe(false);
    expect(mayRole('admin', 'restore')).toBe(false);
    expect(mayRole('auditor', 'restore')).toBe(false);
  });
});
