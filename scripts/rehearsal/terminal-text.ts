/**
 * Drops the control sequences of a terminal stream (ECMA-48: CSI, OSC, two-byte escapes) and carriage returns,
 * so that a pattern meets the words a person reads. Streams are cut anywhere: the state carries over.
 */
export interface TerminalTextState {
  readonly inside: 'text' | 'escape' | 'control-sequence' | 'string';
}

export const terminalTextStart: TerminalTextState = { inside: 'text' };

const escapeByte = '\x1b';
const bell = '\x07';

export function readTerminalText(
  state: TerminalTextState,
  chunk: string,
): { readonly text: string; readonly state: TerminalTextState } {
  let text = '';
  let inside = state.inside;
  for (const character of chunk) {
    switch (inside) {
      case 'text':
        if (character === escapeByte) inside = 'escape';
        else if (character !== '\r' && character !== '\0') text += character;
        break;
      case 'escape':
        inside = afterEscape(character);
        break;
      case 'control-sequence':
        // Parameter and intermediate bytes are below 0x40, the final byte is not.
        if (character >= '@' && character <= '~') inside = 'text';
        break;
      case 'string':
        if (character === bell) inside = 'text';
        else if (character === escapeByte) inside = 'escape';
        break;
    }
  }
  return { text, state: { inside } };
}

function afterEscape(character: string): TerminalTextState['inside'] {
  if (character === '[') return 'control-sequence';
  if (character === ']' || character === 'P') return 'string';
  // Intermediate bytes (character set selection and the like) come before one final byte.
  return character >= ' ' && character <= '/' ? 'escape' : 'text';
}
