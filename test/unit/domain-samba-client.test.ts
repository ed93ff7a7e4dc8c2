import { expect, test } from 'vitest';
import { callSamba } from '#pxe-server/domain/samba-client.ts';

/** A shell instead of Samba's programs: what they are given, and where they are cut off. */
const settings = { domain: 'lab.example', credentials: { account: 'svc-rejoin', password: 'Only-4-tests' } };
const call = (script: string, more: object = {}) =>
  callSamba(settings, {
    ...{ doing: 'trying', tool: { command: 'sh', debianPackage: 'dash' }, args: ['-c', script] },
    ...more,
  });
/** What follows a script of `sh -c` is its arguments, and in its command line. */
const credentials = 'cat /dev/stdin; tr "\\0" " " < /proc/$$/cmdline; env';
const atMost = { seconds: 1, bytes: 100_000 };

test.each([[{}], [{ atMost }]])('account and password come through a pipe only, %j', async (more) => {
  const { status, stdout } = await call(credentials, more);
  const [account, password, domain, ...rest] = stdout.toString().split('\n');
  expect([account, password, domain]).toEqual([
    'username = svc-rejoin',
    'password = Only-4-tests',
    'domain = lab.example',
  ]);
  expect(rest.join('\n')).toMatch(/--configfile=.*--authentication-file=\/dev\/stdin/);
  expect(rest.join('\n')).not.toContain('Only-4-tests');
  expect(status).toBe(0);
});

test('what is bounded ends there, and hands back what was said until then', async () => {
  expect(await call('echo before; echo loud >&2; sleep 20', { atMost })).toMatchObject({
    ...{ status: 124, stdout: Buffer.from('before\nloud\n') },
  });
  const endless = await call('yes', { atMost: { seconds: 20, bytes: 1000 } });
  expect(endless.stdout).toHaveLength(1000);
  expect(endless.status).not.toBe(0);
  expect((await call('exit 3', { atMost })).status).toBe(3);
  expect((await call('exit 3')).status).toBe(3);
});

test.each([[{}], [{ atMost }]])('a program that is not there is named with its package, %j', async (more) => {
  const tool = { command: 'no-such-program', debianPackage: 'smbclient' };
  await expect(call('', { tool, ...more })).rejects.toMatchObject({
    code: 'usage',
    next: expect.stringMatching(/apt-get install smbclient/),
  });
});
