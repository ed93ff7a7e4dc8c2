import type { HardwarePassport } from './hardware-passport.ts';

/**
 * What tells one unit from another of the same model. Each fact alone can lie (a UUID cloned by a vendor's
 * tool, a card that moved to another machine, a dock), so they vote.
 */
export interface IdentityVotes {
  /** Facts that both passports have and that are the same, in a technician's words. */
  readonly same: readonly string[];
  /** Facts that both passports have and that differ. */
  readonly different: readonly string[];
}

/** Placeholders that firmware vendors leave; compared in lower case. */
const placeholderSerials: readonly RegExp[] = [
  /^$/,
  /^0+$/,
  /^x+$/,
  /^\.+$/,
  /^0?123456789(0|abcdef)?$/,
  /^(none|n\/a|na|null|empty|invalid|unknown|undefined|default|default string|serial number|system serial number)$/,
  /^(base ?board|board|chassis|system|product) serial( ?number)?$/,
  /to be filled/,
  /not (specified|available|applicable|present|set)/,
  /^o\.?e\.?m\.?$/,
];
const placeholderUuids: readonly RegExp[] = [/^0{32}$/, /^f{32}$/, /^0300020004000500000600070008000[0-9]$/];

export function isPlaceholderSerial(serial: string): boolean {
  const text = serial.trim().toLowerCase();
  return placeholderSerials.some((pattern) => pattern.test(text));
}

/** All zeros, all ones, or the example that board vendors ship; those name no machine. */
export function isPlaceholderUuid(uuid: string): boolean {
  const digits = uuid.toLowerCase().replace(/[^0-9a-f]/g, '');
  return digits.length !== 32 || placeholderUuids.some((pattern) => pattern.test(digits));
}

/** Counts the facts on which two passports agree and disagree. */
export function compareIdentity(expected: HardwarePassport, found: HardwarePassport): IdentityVotes {
  const same: string[] = [];
  const different: string[] = [];
  const vote = (fact: string, agrees: boolean) => (agrees ? same : different).push(fact);

  const [uuid, foundUuid] = [expected.system.uuid, found.system.uuid];
  if (!isPlaceholderUuid(uuid) && !isPlaceholderUuid(foundUuid)) {
    vote('system UUID', uuid.toLowerCase() === foundUuid.toLowerCase());
  }
  for (const part of ['system', 'board'] as const) {
    const [serial, foundSerial] = [expected[part].serial, found[part].serial];
    if (isPlaceholderSerial(serial) || isPlaceholderSerial(foundSerial)) continue;
    vote(`${part} serial`, serial.trim() === foundSerial.trim());
  }
  for (const card of expected.networkCards) {
    // A stand-in has its cards where a virtual machine has room for them.
    const anySlot = expected.standIn && found.standIn;
    const other = found.networkCards.find(
      ({ mac, slot }) => mac === card.mac && (anySlot || slot === card.slot),
    );
    vote(`MAC ${card.mac} in slot ${card.slot}`, other !== undefined);
  }
  return { same, different };
}

/** Two facts at least, and more for than against. */
export function isSameUnit({ same, different }: IdentityVotes): boolean {
  return same.length >= 2 && same.length > different.length;
}
