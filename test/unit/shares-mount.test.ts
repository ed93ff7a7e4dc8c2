import { describe, expect, it } from 'vitest';
import { errorChain, RekindleError } from '#base/errors.ts';
import { describeShare, type SmbShare } from '#contract/share.ts';
import { parseNfsLocation, parseSmbLocation } from '#pxe-server/config/share-location.ts';
import { parseKernelRecord } from '#runtime/shares/kernel-log.ts';
import { planMountCall } from '#runtime/shares/mount-call.ts';
import { explainMountFailure } from '#runtime/shares/mount-failure.ts';
import { explainShareFailure } from '#runtime/shares/share-failure.ts';

const smb: SmbShare = {
  kind: 'smb',
  server: 'files',
  address: '10.77.0.8',
  share: 'images',
  folder: 'plant/a',
  user: 'recovery',
  password: 'p,a ss"word',
  seal: true,
};
const nfs = { kind: 'nfs', server: 'files', address: '10.77.0.8', path: '/export/images' } as const;

describe('the call that mounts', () => {
  it('has the password nowhere but in what goes to the descriptor', () => {
    const { secret, ...call } = planMountCall(smb, '/run/x', 'read');
    expect(secret).toBe(smb.password);
    for (const text of [call.program, ...call.args, ...Object.values(call.env)]) {
      expect(text).not.toContain(smb.password.slice(0, 4));
    }
    expect(call.env).toEqual({ PASSWD_FD: '3' });
    expect(call.args.join(' ')).not.toContain('pass');
  });

  it('is sealed, 3.1.1, soft, and for reading only unless an image is taken', () => {
    const options = (access: 'read' | 'write', seal = true) =>
      planMountCall({ ...smb, seal }, '/run/x', access)
        .args.at(-1)
        ?.split(',') ?? [];
    expect(options('read')).toEqual(expect.arrayContaining(['ro', 'vers=3.1.1', 'seal', 'soft', 'noexec']));
    expect(options('read')).not.toContain('rw');
    expect(options('write')).toContain('rw');
    expect(options('read', false)).not.toContain('seal');
    expect(planMountCall(smb, '/run/x', 'read').args[0]).toBe('//files/images/plant/a');
  });

  it('asks for NFS 4.2 by the address that the service looked up', () => {
    const { program, args, secret } = planMountCall(nfs, '/run/x', 'read');
    expect([program, args[0], args.at(-2), secret]).toEqual([
      '/bin/busybox',
      'mount',
      '10.77.0.8:/export/images',
      undefined,
    ]);
    expect(args.join(' ')).toMatch(/vers=4\.2.*addr=10\.77\.0\.8.*softerr/);
  });
});

describe('where a share is', () => {
  it('is read as people write it', () => {
    expect(parseSmbLocation('//nas/images')).toEqual({ server: 'nas', share: 'images', folder: '' });
    expect(parseSmbLocation('//nas/images/plant a/b/')).toMatchObject({ folder: 'plant a/b' });
    expect(parseNfsLocation('nas.plant:/export/images')).toEqual({
      server: 'nas.plant',
      path: '/export/images',
    });
  });

  it.each([
    '\\\\nas\\images',
    '//nas',
    '//nas/',
    '/nas/images',
    '//nas/images/../x',
    '//nas/a,uid=0',
    '//nas/a\nb',
  ])('%j is no SMB share', (text) => expect(parseSmbLocation(text)).toBeUndefined());
  it.each(['nas', 'nas:export', ':/x', 'nas:/x/../y', 'nas:/x,soft'])('%j is no NFS export', (text) =>
    expect(parseNfsLocation(text)).toBeUndefined(),
  );
  it('is named without the secret', () => {
    expect(describeShare(smb)).toBe('//files/images/plant/a');
    expect(describeShare(nfs)).toBe('files:/export/images');
  });
});

describe('the reason of a refused mount', () => {
  // Lines as Linux 6.1 wrote them.
  it.each([
    [
      [
        'CIFS: Status code returned 0xc0000234 STATUS_ACCOUNT_LOCKED_OUT',
        'mount error(13): Permission denied',
      ],
      /locked, disabled or expired/,
    ],
    [['CIFS: VFS: cifs_mount failed w/return code = -13'], /recovery may not use this share/],
    [['mount error(112): Host is down'], /files \(10\.77\.0\.8\) does not answer/],
    [['timed out after 60 s'], /does not answer/],
    [['something new'], /^something new$/],
    [[], /without a word/],
  ])('%j', (said, words) => {
    const { sentence, next } = explainMountFailure(smb, said);
    expect(sentence).toMatch(words);
    expect(next).not.toBe('');
  });

  it('is told for NFS as well', () => {
    const refused = 'mount: mounting 10.77.0.8:/export/images on /run/x failed: ';
    expect(explainMountFailure(nfs, [`${refused}Permission denied`]).sentence).toMatch(
      /refuses \/export\/images/,
    );
    expect(explainMountFailure(nfs, [`${refused}Protocol not supported`]).sentence).toMatch(/NFS 4\.2/);
  });
});

describe('a share that fails in the middle of a job', () => {
  const share = { description: '//files/images', hung: false };
  const failed = (code: string) =>
    new RekindleError('store-unreachable', 'Reading chunk 12', {
      cause: new Error(`${code}: what libuv says, read`),
    });

  it.each([
    ['ESTALE', /exported anew/],
    ['EHOSTDOWN', /stopped answering/],
    ['ETIMEDOUT', /stopped answering/],
    ['ENOSPC', /full/],
    ['EROFS', /cannot be written/],
  ])('%s in words, with the reasons below', (code, words) => {
    const chain = errorChain(explainShareFailure(share, failed(code)));
    expect(chain[0]).toMatch(words);
    expect(chain).toContain('Reading chunk 12');
  });

  it('that was cut loose says so, and other failures stay what they are', () => {
    const unknown = failed('EWHATEVER');
    expect(explainShareFailure(share, unknown)).toBe(unknown);
    expect(errorChain(explainShareFailure({ ...share, hung: true }, unknown))[0]).toMatch(/cut loose/);
    const other = new RekindleError('verification-failed', 'a damaged chunk');
    expect(explainShareFailure(share, other)).toBe(other);
  });
});

it('a record of the kernel log is read without its head and its tail', () => {
  expect(parseKernelRecord('6,339,514,-;CIFS: VFS: no\n SUBSYSTEM=x\n')).toBe('CIFS: VFS: no');
  expect(parseKernelRecord('rubbish')).toBeUndefined();
});
