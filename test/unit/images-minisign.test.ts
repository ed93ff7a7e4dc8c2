import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  formatPublicKey,
  formatSecretKey,
  generateKeyPair,
  parsePublicKey,
  parseSecretKey,
  signBytes,
  verifySignature,
} from '#images/format/minisign.ts';

/** Made by Debian's minisign (`-G -W`, `-S`) for a file with "hi\n". */
const publicText =
  'untrusted comment: minisign public key 499B2D28A09DBFAC\nRWSsv52gKC2bSRuj6vN0CTsXmIuVgTLFvJ6vNSDJ6xnQJIczQNtjjhRo\n';
const secretText =
  'untrusted comment: minisign encrypted secret key\nRWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAArL+doCgtm0m2epL4b0jsxL9U+4aAMRa0TBF2hN6u2d2UZFlVrAHwDRuj6vN0CTsXmIuVgTLFvJ6vNSDJ6xnQJIczQNtjjhRoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n';
const signatureText =
  'untrusted comment: signature from minisign secret key\nRUSsv52gKC2bSYSki3f7fLzfukxH44GmhVTgoKazMCIeOSPJ+kfDCwHsS+Xh+JY3l6XH9mbs3sa/S5tC+l8f80uu5r1m0MG8+ww=\ntrusted comment: timestamp:1795298001\tfile:m\thashed\n0H2vzcB3icuvCkcgUjaS2XvUZT7EjPCInnlgFMCUXIgvVvMs4n7Iexlbttmo/my8oqZA/tiiQq34rpSkipRICg==\n';
const signed = Buffer.from('hi\n');

describe("minisign's own files", () => {
  test('a signature is accepted and its trusted comment handed back', () => {
    const comment = verifySignature(signed, signatureText, parsePublicKey(publicText), 'm');
    expect(comment).toBe('timestamp:1795298001\tfile:m\thashed');
  });

  test('a secret key without password is read; the public half is the same', () => {
    expect(formatPublicKey(parseSecretKey(secretText))).toBe(publicText);
  });

  test('every flipped bit of the signature file below its first comment is refused', () => {
    const key = parsePublicKey(publicText);
    const bytes = Buffer.from(signatureText);
    const start = signatureText.indexOf('\n') + 1;
    // The newline at the very end ends nothing that is signed.
    for (let bit = start * 8; bit < (bytes.length - 1) * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(() => verifySignature(signed, flipped.toString('latin1'), key, 'm')).toThrow(
        'Checking the signature of m',
      );
    }
  });
});

test("Debian's minisign accepts our key and signature, signs with our key, and refuses a changed file", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rekindle-minisign-'));
  const file = (name: string): string => path.join(folder, name);
  try {
    const key = generateKeyPair();
    const content = Buffer.from('{"formatVersion":1}\n');
    fs.writeFileSync(file('manifest.json'), content);
    fs.writeFileSync(file('manifest.json.minisig'), signBytes(content, key, 'STATION@20261120T020000Z'));
    fs.writeFileSync(file('site.pub'), formatPublicKey(key));
    fs.writeFileSync(file('site.key'), formatSecretKey(key), { mode: 0o600 });
    const minisign = (...args: string[]): string =>
      execFileSync('minisign', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
    expect(minisign('-V', '-p', 'site.pub', '-m', 'manifest.json')).toContain('STATION@20261120T020000Z');

    minisign('-S', '-s', 'site.key', '-m', 'manifest.json', '-t', 'by minisign');
    const theirs = fs.readFileSync(file('manifest.json.minisig'), 'utf8');
    expect(verifySignature(content, theirs, key, 'manifest')).toBe('by minisign');

    fs.appendFileSync(file('manifest.json'), ' ');
    expect(() => minisign('-V', '-p', 'site.pub', '-m', 'manifest.json')).toThrow();
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('another key, a changed comment, a password-protected key: refused with the reason', () => {
  const key = generateKeyPair();
  const text = signBytes(signed, key, 'comment');
  expect(() => verifySignature(signed, text, generateKeyPair(), 'm')).toThrow('another key');
  const otherComment = text.replace('comment: comment', 'comment: comments');
  expect(() => verifySignature(signed, otherComment, key, 'm')).toThrow('trusted comment was changed');
  expect(() => verifySignature(Buffer.from('ho\n'), text, key, 'm')).toThrow('not what was signed');
  const locked = Buffer.from(secretText.split('\n')[1] ?? '', 'base64');
  locked.write('Sc', 2, 'latin1');
  expect(() => parseSecretKey(`untrusted comment: x\n${locked.toString('base64')}\n`)).toThrow('password');
  expect(() => parsePublicKey('nonsense')).toThrow('no minisign public key');
});
