import { describe, expect, it } from 'vitest';
import { findGrant, mintToken } from '#pxe-server/jobs/token.ts';
import { openState, type State } from '#pxe-server/site/state.ts';
import { logOn } from '#pxe-server/users/log-on.ts';
import { addUser, changePassword, listUsers, removeUser } from '#pxe-server/users/user-store.ts';

const policy = { tries: 2, lockMinutes: 15 };
const old = 'the old password';

function tryLogOn(state: State, password: string, now = 0) {
  return logOn(state, { technician: 'meier', password, machine: 'a' }, policy, now).then(({ kind }) => kind);
}

function session(state: State, technician: string, how: 'technician' | 'armed' = 'technician') {
  return mintToken(state, { kind: 'session', technician, how, station: null, job: null, expiresAt: 1000 });
}

async function stateWithUsers(): Promise<State> {
  const state = openState(':memory:');
  for (const name of ['Meier', 'anna']) await addUser(state, { name, role: 'technician', password: old });
  return state;
}

describe('users', () => {
  it('are listed by name, and a name is taken whatever its case', async () => {
    const state = await stateWithUsers();
    expect(listUsers(state)).toEqual([
      { name: 'anna', role: 'technician' },
      { name: 'Meier', role: 'technician' },
    ]);
    await expect(addUser(state, { name: 'MEIER', role: 'auditor', password: old })).rejects.toThrow(
      'there is such a user already',
    );
  });

  it('get a new password: the old one, the lock and the sessions of that user end, nobody else’s', async () => {
    const state = await stateWithUsers();
    const [theirs, other, armed] = [
      session(state, 'Meier'),
      session(state, 'anna'),
      session(state, 'Meier', 'armed'),
    ];
    for (const word of ['wrong', 'wrong']) await tryLogOn(state, word);
    state.prepare("DELETE FROM lock_outs WHERE subject = 'machine:a'").run();
    expect(await tryLogOn(state, old)).toBe('locked');
    await expect(changePassword(state, 'meier', 'short')).rejects.toThrow('at least 10 characters');
    await changePassword(state, 'meier', 'the new password');
    expect(await tryLogOn(state, old)).toBe('wrong-password');
    expect(await tryLogOn(state, 'the new password')).toBe('logged-on');
    expect(findGrant(state, theirs, 0)).toBeUndefined();
    expect(findGrant(state, other, 0)).toBeDefined();
    expect(findGrant(state, armed, 0)).toBeDefined();
  });

  it('are removed with their sessions', async () => {
    const state = await stateWithUsers();
    const theirs = session(state, 'Meier');
    expect(removeUser(state, 'meier')).toBe(true);
    expect(removeUser(state, 'meier')).toBe(false);
    expect(await tryLogOn(state, old)).toBe('wrong-password');
    expect(findGrant(state, theirs, 0)).toBeUndefined();
    expect(listUsers(state).map(({ name }) => name)).toEqual(['anna']);
  });
});
