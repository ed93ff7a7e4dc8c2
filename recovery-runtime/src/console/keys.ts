import { StringDecoder } from 'node:string_decoder';

/** What a person pressed, as far as a line of text cares. */
export type Key =
  | { readonly kind: 'character'; readonly text: string }
  | { readonly kind: 'enter' | 'backspace' | 'erase-line' | 'cancel' };

type Mode = 'text' | 'escape' | 'sequence-start' | 'sequence' | 'one-more';

/**
 * Bytes of one keyboard or serial line into keys. Keeps what is unfinished between two reads: half a
 * UTF-8 character, half an escape sequence (ECMA-48: CSI ends with 0x40-0x7E, SS3 takes one more), and
 * the line feed after a carriage return. Escape sequences (arrows, function keys) are nothing here.
 */
export function createKeyReader(): (bytes: Uint8Array) => Key[] {
  const decoder = new StringDecoder('utf8');
  let mode: Mode = 'text';
  let afterReturn = false;

  const readCharacter = (character: string): Key[] => {
    const followsReturn = afterReturn;
    afterReturn = false;
    // The Linux console's F1 to F5 are ESC [ [ A: there the second bracket does not end the sequence.
    if (mode === 'sequence-start' && character === '[') {
      mode = 'one-more';
      return [];
    }
    if (mode === 'sequence-start' || mode === 'sequence') {
      mode = 'sequence';
      if (character >= '@' && character <= '~') mode = 'text';
      return [];
    }
    if (mode === 'one-more') {
      mode = 'text';
      return [];
    }
    if (mode === 'escape') {
      mode = 'text';
      if (character === '[') mode = 'sequence-start';
      if (character === 'O') mode = 'one-more';
      if (mode !== 'text') return [];
    }
    switch (character) {
      case '\x1b':
        mode = 'escape';
        return [];
      case '\r':
        afterReturn = true;
        return [{ kind: 'enter' }];
      case '\n':
        return followsReturn ? [] : [{ kind: 'enter' }];
      case '\x7f':
      case '\b':
        return [{ kind: 'backspace' }];
      case '\x15':
        return [{ kind: 'erase-line' }];
      case '\x03':
        return [{ kind: 'cancel' }];
      default:
        return character < ' ' ? [] : [{ kind: 'character', text: character }];
    }
  };

  return (bytes) => [...decoder.write(Buffer.from(bytes))].flatMap(readCharacter);
}
