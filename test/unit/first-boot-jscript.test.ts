import { createHash, createHmac, randomBytes } from 'node:crypto';
import { parse } from 'acorn';
import { expect, test } from 'vitest';
import { stepExitCodes } from '#contract/first-boot.ts';
import { hmacSha256, sha256, toHex } from '#runtime/first-boot/windows/agent/sha256.ts';
import { jsonText } from '#runtime/first-boot/windows/agent/texts.ts';
import { bundleAgent } from '#scripts/runtime/first-boot-files.ts';

/** What the Windows agent is compiled to has to be the JavaScript of Windows Script Host: ECMA-262, 3rd edition. */

test.each(['main.ts', 'network-order.ts'] as const)(
  '%s is third-edition JavaScript in ASCII',
  async (file) => {
    const agent = await bundleAgent(file);
    const thirdEdition = { ecmaVersion: 3, allowReserved: 'never' } as const;
    for (const later of ['var a = {}; a.default;', 'var a = { get b() { return 1; } };', 'let a = 1;'])
      expect(() => parse(later, thirdEdition), later).toThrow();
    parse(agent, thirdEdition);
    expect(agent.replace(/[\r\n\t]/g, ' ')).toMatch(/^[ -~]+$/);
    // The third edition knows neither: the agent's tsconfig.json keeps them out of its source, this out of esbuild's help.
    expect(agent).not.toMatch(
      /\.(trim|forEach|map|filter|bind|toISOString|keys|isArray)\(|\bJSON\.|Date\.now/,
    );
    const codes =
      file === 'main.ts' ? Object.values(stepExitCodes) : [stepExitCodes.retry, stepExitCodes.restartRetry];
    for (const code of codes) expect(agent).toContain(String(code));
  },
);

test('SHA-256 and HMAC are those of others, at every length around a block', () => {
  const bytes = randomBytes(300).toString('latin1');
  for (const length of [0, 1, 31, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 300]) {
    const text = bytes.slice(0, length);
    const buffer = Buffer.from(text, 'latin1');
    expect(toHex(sha256(text))).toBe(createHash('sha256').update(buffer).digest('hex'));
    const key = randomBytes(32);
    expect(hmacSha256(key.toString('latin1'), text)).toBe(
      createHmac('sha256', key).update(buffer).digest('hex'),
    );
  }
});

test('whatever a step printed is JSON, in ASCII', () => {
  const said = 'a "quoted" C:\\path\tGrüße ☃\r\nend\u0000\u001b\u007f';
  expect(jsonText(said)).toMatch(/^[\x20-\x7e]*$/);
  expect(JSON.parse(`"${jsonText(said)}"`)).toBe('a "quoted" C:\\path\tGrüße ☃\nend\u007f');
});
