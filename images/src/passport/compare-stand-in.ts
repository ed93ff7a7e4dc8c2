import type { Difference } from './difference.ts';
import type { HardwarePassport, NetworkCard, PassportDisk } from './hardware-passport.ts';

/**
 * A declared stand-in against the station that it stands in for. What tells units apart is as strict as ever (the
 * caller compares it); cards, controllers and disks are of other makes and in other places, because a virtual
 * machine has no others. Each of these is a note: that much of the station is not rehearsed.
 */
export function compareStandInParts(station: HardwarePassport, standIn: HardwarePassport): Difference[] {
  return [
    ...compareCards(station.networkCards, standIn.networkCards),
    ...compareControllers(station, standIn),
    ...compareDisks(station.disks, standIn.disks),
  ];
}

function compareCards(cards: readonly NetworkCard[], others: readonly NetworkCard[]): Difference[] {
  const [expected, found] = [cards, others].map((each) => each.map(({ mac }) => mac).join(', ')) as [
    string,
    string,
  ];
  if (expected !== found) {
    const sentence = `The stand-in has the network cards ${found || 'none'} instead of ${expected || 'none'}.`;
    return [{ field: 'network cards', severity: 'fatal', expected, found, sentence }];
  }
  return cards.flatMap((card, at): Difference[] => {
    const other = others[at];
    if (other === undefined || (other.id === card.id && other.slot === card.slot)) return [];
    return [
      {
        field: `network card ${card.slot}`,
        severity: 'note',
        expected: `${card.id} in ${card.slot}`,
        found: `${other.id} in ${other.slot}`,
        sentence: `The stand-in has ${other.id} for network card ${card.id} (${card.mac}): its driver is not rehearsed.`,
      },
    ];
  });
}

function compareControllers(station: HardwarePassport, standIn: HardwarePassport): Difference[] {
  const others = standIn.storageControllers.map(({ id, mode }) => `${id} (${mode})`).join(', ');
  return station.storageControllers
    .filter(({ id }) => !standIn.storageControllers.some((other) => other.id === id))
    .map(({ slot, id, mode }) => ({
      field: `storage controller ${slot}`,
      severity: 'note',
      expected: `${id} (${mode})`,
      found: others,
      sentence: `The stand-in has ${others} for storage controller ${id} (${mode}): its driver is not rehearsed.`,
    }));
}

function compareDisks(disks: readonly PassportDisk[], others: readonly PassportDisk[]): Difference[] {
  const fixed = disks.filter(({ removable }) => !removable);
  const strangers = others.filter((other) => !fixed.some((disk) => isNamedAlike(disk, other)));
  return fixed.flatMap((disk): Difference[] => {
    const name = disk.serial ?? disk.wwn ?? disk.model;
    const other = others.find((each) => isNamedAlike(disk, each));
    const found = other ?? strangers.find((each) => mayReplace(disk, each));
    const difference = {
      field: `disk ${disk.slot}`,
      expected: describe(disk),
      found: found === undefined ? 'no such disk' : describe(found),
    };
    if (found === undefined) {
      return [{ ...difference, severity: 'fatal', sentence: `The stand-in has no disk ${name}.` }];
    }
    const sentence = `The stand-in's disk ${name} is ${difference.found} instead of ${difference.expected}.`;
    if (other === undefined) return [{ ...difference, severity: 'replaced-part', sentence }];
    if (other.sizeBytes !== disk.sizeBytes || other.logicalSectorBytes !== disk.logicalSectorBytes)
      return [{ ...difference, severity: 'fatal', sentence }];
    if (other.slot === disk.slot && other.model === disk.model) return [];
    return [{ ...difference, severity: 'note', sentence }];
  });
}

function isNamedAlike(disk: PassportDisk, other: PassportDisk): boolean {
  const same = (one: string | undefined, two: string | undefined) =>
    one !== undefined && one !== '' && one === two;
  return same(disk.wwn, other.wwn) || same(disk.serial, other.serial);
}

/** A disk that was replaced and confirmed since the image was taken. */
const mayReplace = (disk: PassportDisk, other: PassportDisk): boolean =>
  other.sizeBytes >= disk.sizeBytes && other.logicalSectorBytes === disk.logicalSectorBytes;

const describe = (disk: PassportDisk): string =>
  `${disk.model}, ${disk.serial ?? disk.wwn ?? 'no serial number'}, at ${disk.slot}, ${disk.sizeBytes} bytes, sectors of ${disk.logicalSectorBytes}`;
