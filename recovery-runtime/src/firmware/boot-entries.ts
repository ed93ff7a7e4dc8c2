import type { BootEntry } from '#images/format/image-manifest.ts';
import { parseLoadOption, partitionGuidOf } from './load-option.ts';

/** What the firmware has: its Boot#### variables and BootOrder (UEFI 2.10, section 3.1). */
export interface BootVariables {
  readonly entries: readonly BootEntry[];
  readonly order: readonly string[];
}

export interface BootEntryPlan {
  /** Entries to write, in this order, before BootOrder. */
  readonly write: readonly BootEntry[];
  /** BootOrder afterwards; the entries that were put first are `own`. */
  readonly order: readonly string[];
  readonly own: readonly BootEntry[];
  readonly changesOrder: boolean;
}

/**
 * The image's own boot entries (those that start from one of its partitions) put first in BootOrder, written
 * where they are missing or different. Everything else that the firmware has stays, after them. The entries
 * that firmware makes by itself (network, DVD, shell) start from no partition and are the firmware's business.
 *
 * @param partitionGuids GUIDs of the image's partitions, upper case
 */
export function planBootEntries(
  current: BootVariables,
  wanted: BootVariables,
  partitionGuids: ReadonlySet<string>,
): BootEntryPlan {
  const taken = new Map(current.entries.map((entry) => [entry.number, entry]));
  const used = new Set<string>();
  const write: BootEntry[] = [];

  const own = inOrder(wanted)
    .filter((entry) => startsFrom(entry, partitionGuids))
    .map((entry) => {
      const present = current.entries.find(
        (other) => other.loadOption === entry.loadOption && !used.has(other.number),
      );
      const inItsPlace = taken.get(entry.number);
      const mayReplace =
        !used.has(entry.number) && (inItsPlace === undefined || startsFrom(inItsPlace, partitionGuids));
      const number = present?.number ?? (mayReplace ? entry.number : lowestFree(taken, used));
      used.add(number);
      const placed = { ...entry, number };
      if (present === undefined) write.push(placed);
      return placed;
    });

  const first = own.map((entry) => entry.number);
  const order =
    own.length === 0 ? current.order : [...first, ...current.order.filter((each) => !used.has(each))];
  return { write, own, order, changesOrder: order.join() !== current.order.join() };
}

/** Entries as BootOrder starts them; those that it does not list come last. */
function inOrder({ entries, order }: BootVariables): BootEntry[] {
  const place = (entry: BootEntry) => {
    const index = order.indexOf(entry.number);
    return index === -1 ? order.length : index;
  };
  return entries.toSorted((left, right) => place(left) - place(right));
}

/** Whether the entry starts from one of these partitions. @param partitionGuids upper case */
export function startsFrom(entry: BootEntry, partitionGuids: ReadonlySet<string>): boolean {
  try {
    const guid = partitionGuidOf(parseLoadOption(Buffer.from(entry.loadOption, 'base64')));
    return guid !== undefined && partitionGuids.has(guid);
  } catch {
    // An entry that cannot be read is not ours; the firmware skips it too.
    return false;
  }
}

function lowestFree(taken: ReadonlyMap<string, BootEntry>, used: ReadonlySet<string>): string {
  for (let number = 0; ; number += 1) {
    const name = number.toString(16).toUpperCase().padStart(4, '0');
    if (!taken.has(name) && !used.has(name)) return name;
  }
}
