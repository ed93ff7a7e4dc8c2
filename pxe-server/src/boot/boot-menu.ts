import { assertText, assertUrl, lines, localDisk } from './boot-script.ts';

/** One line of the menu. `name` goes into the URL that asks for its script. */
export interface MenuItem {
  readonly name: string;
  readonly title: string;
  /** A letter or digit that chooses it at once. */
  readonly key: string;
}

export interface BootMenu {
  readonly title: string;
  readonly items: readonly MenuItem[];
  /** Name of the item that starts when nobody presses a key; every other key stops the clock. */
  readonly withoutKey: string;
  readonly seconds: number;
  /** What was chosen is asked for here, with `&choice=NAME` behind it. */
  readonly scriptUrl: string;
}

/**
 * The iPXE menu. Nobody at the keyboard, Esc, or a service that is gone in the meantime: the station starts from its
 * own disk, so that a wrong boot order costs some seconds and never a loop.
 */
export function formatBootMenu({ title, items, withoutKey, seconds, scriptUrl }: BootMenu): string {
  return lines(
    '#!ipxe',
    `menu Rekindle: ${assertText(title)}`,
    ...items.map(
      ({ name, key, title: text }) => `item --key ${key} ${name} ${key.toUpperCase()}  ${assertText(text)}`,
    ),
    'item',
    `item --gap Without a key in ${seconds} s: ${assertText(items.find(({ name }) => name === withoutKey)?.title ?? withoutKey)}`,
    `choose --default ${withoutKey} --timeout ${Math.max(1, seconds) * 1000} choice || goto local_disk`,
    `chain --replace ${assertUrl(scriptUrl)}&choice=\${choice} || goto local_disk`,
    ...localDisk,
  );
}
