import { describe, expect, test } from 'vitest';
import type { ImageDisk } from '#images/format/image-manifest.ts';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { checkIdentity, type IdentityAccepted } from '#runtime/steps/check-identity.ts';
import { chooseDisks } from '#runtime/steps/choose-disks.ts';
import { somePassport } from '#test/support/some-passport.ts';

const passportOf = (overrides: Partial<HardwarePassport> = {}) => ({ ...somePassport(), ...overrides });
const [first] = somePassport().disks as [PassportDisk];
const passportDisk = (overrides: Partial<PassportDisk>): PassportDisk => ({ ...first, ...overrides });
const second = passportDisk({
  slot: '0000:00:1f.2/ata2',
  serial: 'SSD-0002',
  wwn: 'naa.5000000000000002',
});

function imageDisk(disk: PassportDisk, number = 0): ImageDisk {
  const { removable: _removable, ...facts } = disk;
  return {
    ...facts,
    number,
    diskIndex: `S_disk${number}.caibx`,
    partitionTable: { kind: 'none', primary: '', backup: '' },
    volumes: [],
  };
}
const device = (facts: PassportDisk, devicePath: string) => ({ passportDisk: facts, devicePath });

function accepted(disks: readonly PassportDisk[]): IdentityAccepted {
  const passport = passportOf({ disks: [...disks] });
  const outcome = checkIdentity(passport, passport, passport);
  if (outcome.kind === 'refused') throw new Error('the same passport was refused');
  return outcome.identity;
}

function choose(
  image: readonly PassportDisk[],
  present: readonly { passportDisk: PassportDisk; devicePath: string }[],
  registered: readonly PassportDisk[] = image,
) {
  const choice = chooseDisks(accepted(registered), image.map(imageDisk), present);
  return choice.kind === 'unfit'
    ? choice.sentences
    : choice.disks.targets.map(({ disk, recognisedBy }) => `${disk.devicePath} by ${recognisedBy}`);
}

describe('the disk that is written', () => {
  test('is found by its WWN, whatever its name and place', () => {
    const moved = { ...first, slot: '0000:00:1f.2/ata4' };
    expect(choose([first], [device(second, '/dev/sda'), device(moved, '/dev/sdb')])).toEqual([
      '/dev/sdb by wwn',
    ]);
  });
  test('is found by serial number and model where it has no WWN', () => {
    const { wwn: _wwn, ...noWwn } = first;
    expect(choose([noWwn], [device(noWwn, '/dev/sdx')])).toEqual(['/dev/sdx by serial']);
  });
  test('an equal serial number of another model is another disk', () => {
    const { wwn: _wwn, ...noWwn } = first;
    const other = { ...noWwn, model: 'OTHER', slot: '0000:00:14.0/usb-1' };
    expect(choose([noWwn], [device(other, '/dev/sda')])).toEqual([
      'Disk 0 of the image (EXAMPLE SSD 240, serial SSD-0001) is not in this machine, and its place 0000:00:1f.2/ata1 is empty.',
    ]);
  });
  test('a new one in its place is a replaced part', () => {
    const fresh = passportDisk({ serial: 'NEW', wwn: 'naa.5000000000000009' });
    expect(choose([first], [device(fresh, '/dev/sda')])).toEqual(['/dev/sda by replaced']);
  });
  test('one that was replaced and confirmed before is the registered one', () => {
    const fresh = passportDisk({ serial: 'NEW', wwn: 'naa.5000000000000009' });
    expect(choose([first], [device(fresh, '/dev/sda')], [fresh])).toEqual(['/dev/sda by wwn']);
  });
});

describe('refused', () => {
  test('the only disk there is, in another place', () => {
    const lone = passportDisk({ serial: 'NEW', wwn: 'naa.5000000000000009', slot: '0000:00:1f.2/ata3' });
    expect(choose([first], [device(lone, '/dev/sda')])[0]).toMatch(/its place 0000:00:1f.2\/ata1 is empty/);
  });
  test('two disks with one WWN', () => {
    const twin = { ...first, slot: '0000:00:1f.2/ata3' };
    expect(choose([first], [device(first, '/dev/sda'), device(twin, '/dev/sdb')])[0]).toMatch(
      /is there 2 times/,
    );
  });
  test('the original and the one that replaced it, both attached', () => {
    const fresh = passportDisk({ serial: 'NEW', wwn: 'naa.5000000000000009' });
    const old = { ...first, slot: '0000:00:1f.2/ata3' };
    expect(choose([first], [device(fresh, '/dev/sda'), device(old, '/dev/sdb')], [fresh])[0]).toMatch(
      /is there 2 times/,
    );
  });
  test("a data disk that was put into the system disk's place", () => {
    const misplaced = { ...second, slot: first.slot };
    const found = choose([first, second], [device(misplaced, '/dev/sda')]);
    expect(found).toEqual([
      expect.stringMatching(
        /in its place 0000:00:1f.2\/ata1 is the disk that belongs to 0000:00:1f.2\/ata2; put the disks back/,
      ),
    ]);
  });
  test('a registered disk that is not in the image, in the place of one that is', () => {
    const misplaced = { ...second, slot: first.slot };
    const found = choose([first], [device(misplaced, '/dev/sda')], [first, second]);
    expect(found[0]).toMatch(/is the disk that belongs to 0000:00:1f.2\/ata2/);
  });
  test('a removable disk in its place', () => {
    const stick = passportDisk({ serial: 'STICK', wwn: 'naa.5000000000000009', removable: true });
    expect(choose([first], [device(stick, '/dev/sda')])[0]).toMatch(/is removable/);
  });
  test('no disk at all', () => {
    expect(choose([first, second], [])).toHaveLength(2);
  });
});

describe('identity', () => {
  test('another board is refused, and named', () => {
    const image = passportOf();
    const machine = passportOf({ board: { ...image.board, product: 'X11SSH-F' } });
    const outcome = checkIdentity(image, image, machine);
    expect(outcome).toMatchObject({ kind: 'refused' });
    expect(outcome.kind === 'refused' && outcome.differences.map(({ field }) => field)).toEqual([
      'board product',
    ]);
  });
  test('a part that was replaced and confirmed before is no news', () => {
    const image = passportOf();
    const machine = passportOf({ disks: [passportDisk({ serial: 'NEW', wwn: 'naa.5000000000000009' })] });
    const again = checkIdentity(image, machine, machine);
    expect(again.kind === 'accepted' && again.identity.differences).toEqual([]);
    const firstTime = checkIdentity(image, image, machine);
    expect(
      firstTime.kind === 'accepted' && firstTime.identity.differences.map(({ severity }) => severity),
    ).toEqual(['replaced-part']);
  });
});
