import { describe, expect, it } from 'vitest';
import { exitCodeOf, formatError, RekindleError } from '#base/errors.ts';

describe('errors', () => {
  it('prints the chain, outermost first, and what to do next', () => {
    const error = new RekindleError('store-unreachable', 'reading chunk 12 of 40 from the image store', {
      cause: new Error('connect ECONNREFUSED'),
      next: 'Check that the server is running.',
    });
    expect(formatError(error)).toBe(
      'reading chunk 12 of 40 from the image store\n  because: connect ECONNREFUSED\nNext: Check that the server is running.',
    );
  });

  it('maps each code to its documented exit code, and anything else to 1', () => {
    expect(exitCodeOf(new RekindleError('hardware-not-identical', 'x'))).toBe(12);
    expect(exitCodeOf(new RekindleError('usage', 'x'))).toBe(2);
    expect(exitCodeOf(new TypeError('x'))).toBe(1);
  });
});
