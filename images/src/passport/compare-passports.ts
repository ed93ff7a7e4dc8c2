import { compareDisks } from './compare-disks.ts';
import { compareNetworkCards } from './compare-network-cards.ts';
import { compareStandInParts } from './compare-stand-in.ts';
import { compareStorageControllers } from './compare-storage-controllers.ts';
import type { Difference } from './difference.ts';
import type { HardwarePassport } from './hardware-passport.ts';
import { compareIdentity, isPlaceholderSerial, isPlaceholderUuid, isSameUnit } from './identity-facts.ts';

interface FieldRule {
  readonly field: string;
  readonly severity: 'fatal' | 'note';
  readonly read: (passport: HardwarePassport) => string;
  /** Why it has that severity: the end of the sentence "… differs: …". */
  readonly why: string;
}

/**
 * Every single-valued field: which one stops a recovery, which one is only told, and why. Serial numbers
 * and the UUID are below (they vote); cards, controllers and disks have files of their own.
 */
const fieldRules: readonly FieldRule[] = [
  {
    field: 'system vendor',
    severity: 'fatal',
    read: ({ system }) => system.vendor,
    why: 'this is another make of machine.',
  },
  {
    field: 'system product',
    severity: 'fatal',
    read: ({ system }) => system.product,
    why: 'this is another model of machine.',
  },
  {
    field: 'board vendor',
    severity: 'fatal',
    read: ({ board }) => board.vendor,
    why: 'the main board is of another make.',
  },
  {
    field: 'board product',
    severity: 'fatal',
    read: ({ board }) => board.product,
    why: 'the main board is another model.',
  },
  {
    field: 'firmware kind',
    severity: 'fatal',
    read: ({ firmware }) => firmware.kind,
    why: 'the installed system only starts with the firmware kind it was installed with. Change the boot mode (UEFI or legacy/CSM) in firmware set-up.',
  },
  {
    field: 'Secure Boot',
    severity: 'note',
    read: ({ firmware }) => firmware.secureBoot,
    why: 'if the restored system does not start, set it as before in firmware set-up.',
  },
  {
    field: 'firmware version',
    severity: 'note',
    read: ({ firmware }) => firmware.version,
    why: 'a firmware update changes no hardware.',
  },
  {
    field: 'system version',
    severity: 'note',
    read: ({ system }) => system.version,
    why: 'vendors count revisions of one model there.',
  },
  {
    field: 'board version',
    severity: 'note',
    read: ({ board }) => board.version,
    why: 'vendors count revisions of one board there.',
  },
  {
    field: 'processor',
    severity: 'note',
    read: ({ cpu }) => cpu.model,
    why: 'any processor of this board runs the same system; a licence may notice.',
  },
  {
    field: 'processor threads',
    severity: 'note',
    read: ({ cpu }) => String(cpu.threads),
    why: 'any processor of this board runs the same system; a licence may notice.',
  },
  {
    field: 'memory',
    severity: 'note',
    read: ({ memoryBytes }) => `${Math.round(memoryBytes / 2 ** 20)} MiB`,
    why: 'the system starts with more or less memory.',
  },
  {
    field: 'rehearsal stand-in',
    severity: 'fatal',
    read: ({ standIn }) => (standIn ? 'yes' : 'no'),
    why: 'a virtual machine is no station, and what was taken on one is no image for hardware.',
  },
];

/**
 * Every difference between the passport that an image was captured with and the machine in front of us,
 * in a fixed order. Empty: identical. A placeholder text counts like any other where models are compared,
 * and does not count where units are told apart.
 */
export function comparePassports(expected: HardwarePassport, found: HardwarePassport): Difference[] {
  return [
    ...fieldRules.flatMap((rule) => compareField(rule, expected, found)),
    ...compareUnit(expected, found),
    ...compareParts(expected, found),
  ];
}

function compareParts(expected: HardwarePassport, found: HardwarePassport): Difference[] {
  if (expected.standIn && found.standIn) return compareStandInParts(expected, found);
  return [
    ...compareNetworkCards(expected.networkCards, found.networkCards),
    ...compareStorageControllers(expected.storageControllers, found.storageControllers),
    ...compareDisks(expected.disks, found.disks),
  ];
}

function compareField(rule: FieldRule, expected: HardwarePassport, found: HardwarePassport): Difference[] {
  const [was, is] = [rule.read(expected).trim(), rule.read(found).trim()];
  if (was === is) return [];
  return [
    {
      field: rule.field,
      severity: rule.severity,
      expected: was,
      found: is,
      sentence: `The ${rule.field} is ${quoted(is)} instead of ${quoted(was)}: ${rule.why}`,
    },
  ];
}

/**
 * UUID and serial numbers. While a quorum of facts says that it is the same unit, one that differs is a
 * part replaced (a new board's serial, a UUID that a firmware update reset); without one it is another
 * machine, however alike.
 */
function compareUnit(expected: HardwarePassport, found: HardwarePassport): Difference[] {
  const votes = compareIdentity(expected, found);
  const sameUnit = isSameUnit(votes);
  const facts = [
    {
      field: 'system UUID',
      was: expected.system.uuid.toLowerCase(),
      is: found.system.uuid.toLowerCase(),
      isPlaceholder: isPlaceholderUuid,
    },
    ...(['system', 'board'] as const).map((part) => ({
      field: `${part} serial`,
      was: expected[part].serial.trim(),
      is: found[part].serial.trim(),
      isPlaceholder: isPlaceholderSerial,
    })),
  ];
  const differences = facts
    .filter(({ was, is, isPlaceholder }) => was !== is && !(isPlaceholder(was) && isPlaceholder(is)))
    .map(
      ({ field, was, is }): Difference => ({
        field,
        severity: sameUnit ? 'replaced-part' : 'fatal',
        expected: was,
        found: is,
        sentence: sameUnit
          ? `The ${field} is ${quoted(is)} instead of ${quoted(was)}, but ${votes.same.join(', ')} say that it is this station: a part was replaced or set anew.`
          : `The ${field} is ${quoted(is)} instead of ${quoted(was)}: this is another unit.`,
      }),
    );
  if (sameUnit || differences.length > 0 || votes.different.length === 0) return differences;
  return [
    {
      field: 'identity',
      severity: 'fatal',
      expected: 'at least two facts that agree, and more than differ',
      found: votes.same.length === 0 ? 'none that agree' : votes.same.join(', '),
      sentence: `Too little says that this is the station: ${votes.different.join(', ')} cannot be found here.`,
    },
  ];
}

function quoted(text: string): string {
  return text === '' ? 'empty' : `"${text}"`;
}
