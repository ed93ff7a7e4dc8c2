import { describe, expect, it } from 'vitest';
import { bindToStation, findGrant, mintToken, removeExpiredTokens } from '#pxe-server/jobs/token.ts';
import { openState } from '#pxe-server/site/state.ts';

const grant = {
  kind: 'session',
  technician: 'erika',
  how: 'technician',
  station: null,
  job: null,
  expiresAt: 1000,
} as const;

describe('tokens', () => {
  it('are 256 random bits, and not in the state', () => {
    const state = openState(':memory:');
    const token = mintToken(state, grant);
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(mintToken(state, grant)).not.toBe(token);
    expect(JSON.stringify(state.prepare('SELECT * FROM tokens').all())).not.toContain(token);
  });

  it('stand for what they were given for, until their time is over', () => {
    const state = openState(':memory:');
    const token = mintToken(state, grant);
    expect(findGrant(state, token, 999)).toEqual(grant);
    expect(findGrant(state, token, 1000)).toBeUndefined();
    expect(findGrant(state, `${token.slice(0, -1)}x`, 0)).toBeUndefined();
    bindToStation(state, token, 'OS-SRV-1A');
    expect(findGrant(state, token, 999)).toMatchObject({ station: 'OS-SRV-1A' });
    removeExpiredTokens(state, 1000);
    expect(findGrant(state, token, 0)).toBeUndefined();
  });
});
