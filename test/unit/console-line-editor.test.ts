import { describe, expect, test } from 'vitest';
import { createKeyReader, type Key } from '#runtime/console/keys.ts';
import { editLine, type Line } from '#runtime/console/line-editor.ts';

const keysOf = (...reads: readonly (string | readonly number[])[]): Key[] => {
  const read = createKeyReader();
  return reads.flatMap((bytes) => read(Buffer.from(bytes as string)));
};
const textOf = (keys: readonly Key[]) =>
  keys.map((key) => (key.kind === 'character' ? key.text : `<${key.kind}>`)).join('');

describe('keys', () => {
  test('a line, backspace, Ctrl-U, Ctrl-C', () => {
    expect(textOf(keysOf('ab\x7fc\b\x15\x03\r'))).toBe(
      'ab<backspace>c<backspace><erase-line><cancel><enter>',
    );
  });
  test('CR LF is one Enter, also across two reads; LF alone and CR alone are one each', () => {
    expect(textOf(keysOf('a\r\nb\n', '\r', '\n', '\n'))).toBe('a<enter>b<enter><enter><enter>');
  });
  test.each([
    ['an arrow', '\x1b[A'],
    ['Delete with its parameter', '\x1b[3~'],
    ['a function key of a terminal', '\x1bOP'],
    ["a function key of Linux' own console", '\x1b[[A'],
    ['a mouse report', '\x1b[<0;12;5M'],
  ])('%s is nothing', (_name, sequence) => {
    expect(textOf(keysOf(`a${sequence}b`))).toBe('ab');
    expect(textOf(keysOf('a', ...[...sequence], 'b'))).toBe('ab');
  });
  test('Escape alone swallows no letter', () => {
    expect(textOf(keysOf('\x1bx'))).toBe('x');
  });
  test('half a UTF-8 character waits for its other half', () => {
    expect(textOf(keysOf([0xc3], [0xbc]))).toBe('ü');
  });
  test('other control characters are nothing', () => {
    expect(textOf(keysOf('a\x00\x07\x1fb'))).toBe('ab');
  });
});

describe('line editor', () => {
  const empty: Line = { text: '', hidden: false, maxLength: 5 };
  const type = (line: Line, input: string) => {
    let echo = '';
    let ended: string | undefined;
    for (const key of keysOf(input)) {
      const edit = editLine(line, key);
      line = edit.line;
      echo += edit.echo;
      ended = edit.ended;
    }
    return { text: line.text, echo, ended };
  };

  test('echoes what is typed and erases what is taken back', () => {
    expect(type(empty, 'ab\x7fc\r')).toEqual({ text: 'ac', echo: 'ab\b \bc\r\n', ended: 'submitted' });
  });
  test('backspace on an empty line touches nothing of the prompt', () => {
    expect(type(empty, '\x7f\x7f')).toEqual({ text: '', echo: '', ended: undefined });
  });
  test('Ctrl-U erases the whole line', () => {
    expect(type(empty, 'abc\x15d')).toEqual({
      text: 'd',
      echo: `abc${'\b \b'.repeat(3)}d`,
      ended: undefined,
    });
  });
  test('takes no more than fits', () => {
    expect(type(empty, 'abcdefgh').text).toBe('abcde');
  });
  test('a hidden line echoes nothing, not even its length', () => {
    expect(type({ ...empty, hidden: true }, 'ab\x7fc\x15xy\r')).toEqual({
      text: 'xy',
      echo: '\r\n',
      ended: 'submitted',
    });
  });
  test('Ctrl-C cancels', () => {
    expect(type(empty, 'ab\x03').ended).toBe('cancelled');
  });
  test('a character beyond the 16-bit plane is one character', () => {
    expect(type(empty, 'a😀\x7f').text).toBe('a');
  });
});
