/** SHA-256 (FIPS 180-4) and HMAC (RFC 2104) over texts whose characters are bytes. Windows 7 offers a script neither. */

var words = 64;

/** The first 32 bits of the fractional parts of the roots of the first primes: FIPS 180-4, 4.2.2 and 5.3.3. */
function fractions(count: number, root: (prime: number) => number): number[] {
  var found: number[] = [];
  for (var candidate = 2; found.length < count; candidate += 1) {
    var prime = true;
    for (var by = 2; by * by <= candidate; by += 1) if (candidate % by === 0) prime = false;
    if (prime) found.push(fraction32(root(candidate)));
  }
  return found;
}

function fraction32(value: number): number {
  return ((value - Math.floor(value)) * 4294967296) | 0;
}

var startOfHash = fractions(8, (prime) => prime ** (1 / 2));
var roundConstants = fractions(words, (prime) => prime ** (1 / 3));

function rotate(value: number, by: number): number {
  return (value >>> by) | (value << (32 - by));
}

/** @returns 32 characters */
export function sha256(text: string): string {
  var hash = startOfHash.slice(0);
  var zeros = (119 - (text.length % 64)) % 64;
  var padded = [text, '\x80'];
  for (var zero = 0; zero < zeros; zero += 1) padded.push('\0');
  padded.push(bytesOf(Math.floor(text.length / 536870912)), bytesOf(text.length << 3));
  var message = padded.join('');
  var schedule: number[] = [];
  for (var block = 0; block < message.length; block += 64) {
    for (var word = 0; word < words; word += 1) {
      if (word < 16) schedule[word] = wordAt(message, block + 4 * word);
      else {
        var w15 = schedule[word - 15] || 0;
        var w2 = schedule[word - 2] || 0;
        var s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
        var s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
        schedule[word] = ((schedule[word - 16] || 0) + s0 + (schedule[word - 7] || 0) + s1) | 0;
      }
    }
    compress(hash, schedule);
  }
  var digest: string[] = [];
  for (var at = 0; at < 8; at += 1) digest.push(bytesOf(hash[at] || 0));
  return digest.join('');
}

function compress(hash: number[], schedule: number[]): void {
  var now = hash.slice(0);
  for (var round = 0; round < words; round += 1) {
    var a = now[0] || 0;
    var b = now[1] || 0;
    var c = now[2] || 0;
    var e = now[4] || 0;
    var f = now[5] || 0;
    var g = now[6] || 0;
    var sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    var choice = (e & f) ^ (~e & g);
    var first = ((now[7] || 0) + sum1 + choice + (roundConstants[round] || 0) + (schedule[round] || 0)) | 0;
    var sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    var majority = (a & b) ^ (a & c) ^ (b & c);
    now = [(first + sum0 + majority) | 0, a, b, c, ((now[3] || 0) + first) | 0, e, f, g];
  }
  for (var at = 0; at < 8; at += 1) hash[at] = ((hash[at] || 0) + (now[at] || 0)) | 0;
}

/** @returns lower-case hex */
export function hmacSha256(key: string, text: string): string {
  var inner: string[] = [];
  var outer: string[] = [];
  for (var at = 0; at < 64; at += 1) {
    var code = at < key.length ? key.charCodeAt(at) : 0;
    inner.push(String.fromCharCode(code ^ 0x36));
    outer.push(String.fromCharCode(code ^ 0x5c));
  }
  return toHex(sha256(outer.join('') + sha256(inner.join('') + text)));
}

function wordAt(text: string, at: number): number {
  return (
    (text.charCodeAt(at) << 24) |
    (text.charCodeAt(at + 1) << 16) |
    (text.charCodeAt(at + 2) << 8) |
    text.charCodeAt(at + 3)
  );
}

function bytesOf(word: number): string {
  return String.fromCharCode((word >>> 24) & 255, (word >>> 16) & 255, (word >>> 8) & 255, word & 255);
}

export function toHex(bytes: string): string {
  var digits = '0123456789abcdef';
  var hex: string[] = [];
  for (var at = 0; at < bytes.length; at += 1) {
    var code = bytes.charCodeAt(at);
    hex.push(digits.charAt(code >> 4) + digits.charAt(code & 15));
  }
  return hex.join('');
}

export function fromHex(hex: string): string {
  var bytes: string[] = [];
  for (var at = 0; at + 1 < hex.length; at += 2)
    bytes.push(String.fromCharCode(parseInt(hex.slice(at, at + 2), 16)));
  return bytes.join('');
}
