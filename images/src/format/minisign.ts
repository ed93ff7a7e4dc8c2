import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { RekindleError } from '#base/errors.ts';

/**
 * minisign's files (https://jedisct1.github.io/minisign/): Ed25519 over the BLAKE2b-512 of the signed bytes
 * ("ED"), with a trusted comment that is signed too. Secret keys are minisign's own format without a
 * password (`minisign -G -W`): the file's permissions protect it.
 *
 *     public key   "Ed" id[8] key[32]
 *     signature    "ED" id[8] signature[64]      then: signature[64] over signature and trusted comment
 *     secret key   "Ed" "\0\0" "B2" salt[32] opslimit[8] memlimit[8] id[8] seed[32] key[32] checksum[32]
 */
export interface PublicKey {
  readonly keyId: Buffer;
  readonly key: Buffer;
}

export interface SecretKey extends PublicKey {
  readonly seed: Buffer;
}

const untrusted = 'untrusted comment: ';
const trusted = 'trusted comment: ';
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const secretKeyBytes = 158;

export function generateKeyPair(): SecretKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(pkcs8Prefix.length);
  return { keyId: randomBytes(8), key: publicOf(seed), seed };
}

export function formatPublicKey({ keyId, key }: PublicKey): string {
  const id = keyId
    .toReversed()
    .reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), '')
    .toUpperCase();
  return `${untrusted}minisign public key ${id}\n${Buffer.concat([Buffer.from('Ed'), keyId, key]).toString('base64')}\n`;
}

export function formatSecretKey({ keyId, seed, key }: SecretKey): string {
  const bytes = Buffer.alloc(secretKeyBytes);
  bytes.write('Ed', 0, 'latin1');
  bytes.write('B2', 4, 'latin1');
  Buffer.concat([keyId, seed, key]).copy(bytes, 54);
  return `${untrusted}minisign encrypted secret key\n${bytes.toString('base64')}\n`;
}

/** Accepts the file's text or just its second line. @throws RekindleError `usage` */
export function parsePublicKey(text: string): PublicKey {
  const bytes = keyLine(text);
  if (bytes.length !== 42 || bytes.toString('latin1', 0, 2) !== 'Ed') {
    throw new RekindleError(
      'usage',
      'Reading a public key: it is no minisign public key (Ed25519, 42 bytes in base64)',
      {
        next: 'Hand over the file that `rekindle init` or `minisign -G` made.',
      },
    );
  }
  return { keyId: bytes.subarray(2, 10), key: bytes.subarray(10) };
}

/** @throws RekindleError `usage` */
export function parseSecretKey(text: string): SecretKey {
  const bytes = keyLine(text);
  const refuse = (why: string): never => {
    throw new RekindleError('usage', `Reading a secret key: ${why}`, {
      next: 'Hand over a key made by `rekindle init` or `minisign -G -W`.',
    });
  };
  if (bytes.length !== secretKeyBytes || bytes.toString('latin1', 0, 2) !== 'Ed')
    refuse('it is no minisign secret key');
  if (bytes.readUInt16LE(2) !== 0) refuse('it is protected by a password, which is not supported');
  const [keyId, seed, key] = [bytes.subarray(54, 62), bytes.subarray(62, 94), bytes.subarray(94, 126)];
  if (!publicOf(seed).equals(key)) refuse('its two halves do not belong together; the file is damaged');
  return { keyId, seed, key };
}

/** Text of a `.minisig` file. The trusted comment is one line and is protected by the signature. */
export function signBytes(bytes: Uint8Array, secret: SecretKey, trustedComment: string): string {
  if (/[\r\n]/.test(trustedComment)) throw new RangeError('a trusted comment is one line');
  const key = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, secret.seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const signature = sign(null, prehash(bytes), key);
  const global = sign(null, Buffer.concat([signature, Buffer.from(trustedComment)]), key);
  const blob = Buffer.concat([Buffer.from('ED'), secret.keyId, signature]);
  return `${untrusted}signature from rekindle\n${blob.toString('base64')}\n${trusted}${trustedComment}\n${global.toString('base64')}\n`;
}

/** Why a signature is refused that says itself that its key is not ours. */
export const anotherKey = 'it was made with another key';

/**
 * @param what is signed, for messages
 * @returns the trusted comment
 * @throws RekindleError `verification-failed`
 */
export function verifySignature(
  bytes: Uint8Array,
  signatureText: string,
  publicKey: PublicKey,
  what: string,
): string {
  const refuse = (why: string): never => {
    throw new RekindleError('verification-failed', `Checking the signature of ${what}: ${why}`, {
      next: 'Do not use it. Take another copy, and find out who changed this one.',
    });
  };
  const [first = '', blobLine = '', commentLine = '', globalLine = '', ...rest] =
    signatureText.split(/\r?\n/);
  if (!first.startsWith(untrusted) || !commentLine.startsWith(trusted) || rest.some((line) => line !== ''))
    refuse('the signature file is no minisign signature');
  const blob = decodeBase64(blobLine);
  const global = decodeBase64(globalLine);
  if (blob?.length !== 74 || global?.length !== 64) return refuse('the signature file is damaged');
  if (blob.toString('latin1', 0, 2) !== 'ED') refuse('it is not a prehashed Ed25519 signature');
  if (!blob.subarray(2, 10).equals(publicKey.keyId)) refuse(anotherKey);
  const key: KeyObject = createPublicKey({
    key: Buffer.concat([spkiPrefix, publicKey.key]),
    format: 'der',
    type: 'spki',
  });
  const signature = blob.subarray(10);
  if (!verify(null, prehash(bytes), key, signature)) refuse('the content is not what was signed');
  const comment = commentLine.slice(trusted.length);
  if (!verify(null, Buffer.concat([signature, Buffer.from(comment)]), key, global))
    refuse('the trusted comment was changed');
  return comment;
}

const prehash = (bytes: Uint8Array): Buffer => createHash('blake2b512').update(bytes).digest();

function publicOf(seed: Uint8Array): Buffer {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(spkiPrefix.length);
}

function keyLine(text: string): Buffer {
  const line = text.split(/\r?\n/).find((each) => each !== '' && !each.startsWith(untrusted));
  return decodeBase64(line ?? '') ?? Buffer.alloc(0);
}

/** Node skips what is not base64; a flipped character must not pass for the same bytes. */
function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}
