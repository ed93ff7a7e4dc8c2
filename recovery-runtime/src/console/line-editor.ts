import type { Key } from './keys.ts';

/** A line being typed. `hidden` is for passwords: nothing is echoed, not even how long it is. */
export interface Line {
  readonly text: string;
  readonly hidden: boolean;
  /** What fits on the screen behind the question; a hidden line is bounded by it too. */
  readonly maxLength: number;
}

export interface Edit {
  readonly line: Line;
  /** What goes to every screen. */
  readonly echo: string;
  readonly ended?: 'submitted' | 'cancelled';
}

const eraseOne = '\b \b';

export function editLine(line: Line, key: Key): Edit {
  const characters = [...line.text];
  const withText = (text: string, echo: string): Edit => ({
    line: { ...line, text },
    echo: line.hidden ? '' : echo,
  });
  switch (key.kind) {
    case 'character':
      return characters.length >= line.maxLength
        ? withText(line.text, '')
        : withText(line.text + key.text, key.text);
    case 'backspace':
      return characters.length === 0
        ? withText('', '')
        : withText(characters.slice(0, -1).join(''), eraseOne);
    case 'erase-line':
      return withText('', eraseOne.repeat(characters.length));
    case 'enter':
      return { line, echo: '\r\n', ended: 'submitted' };
    case 'cancel':
      return { line, echo: '^C\r\n', ended: 'cancelled' };
  }
}
