import { describe, expect, test } from 'vitest';
import { onStandIn, type RehearsalRecord } from '#contract/rehearsal-record.ts';
import { runReportSchema } from '#contract/run-report.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { recogniseStation } from '#images/passport/recognise-station.ts';
import { describeRehearsal, judge } from '#pxe-server/stations/last-rehearsal.ts';
import { checkIdentity } from '#runtime/steps/check-identity.ts';
import { planStandIn } from '#scripts/rehearsal/stand-in/plan-stand-in.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** The station as a virtual machine has it: other cards and controllers, in other places. */
function standInOf(station: HardwarePassport): HardwarePassport {
  return {
    ...station,
    standIn: true,
    networkCards: station.networkCards.map((card, at) => ({
      ...card,
      id: '8086:10d3',
      subsystem: '8086:0000',
      slot: `0000:00:0${at + 3}.0`,
    })),
    storageControllers: [
      { slot: '0000:00:1f.2', id: '8086:2922', subsystem: '1af4:1100', pciClass: '010601', mode: 'ahci' },
    ],
    disks: station.disks.map((disk, at) => ({ ...disk, slot: `0000:00:1f.2/ata${at + 1}` })),
  };
}
const fatal = (differences: readonly { severity: string; field: string }[]) =>
  differences.filter(({ severity }) => severity === 'fatal').map(({ field }) => field);
const declared = { ...somePassport(), standIn: true };

describe('the interlock on a declared stand-in', () => {
  test('what a virtual machine cannot be is noted, each by name', () => {
    const differences = comparePassports(declared, standInOf(somePassport()));
    expect(fatal(differences)).toEqual([]);
    expect(differences.map(({ sentence }) => sentence).join(' ')).toMatch(/its driver is not rehearsed/);
  });

  test.each<[string, (machine: HardwarePassport) => void, string]>([
    ['another board', ({ board }) => Object.assign(board, { product: 'OTHER' }), 'board product'],
    [
      'another MAC',
      ({ networkCards: [card] }) => Object.assign(card ?? {}, { mac: '02:00:00:00:00:99' }),
      'network cards',
    ],
    ['a smaller disk', ({ disks: [disk] }) => Object.assign(disk ?? {}, { sizeBytes: 512 }), 'disk'],
    ['other sectors', ({ disks: [disk] }) => Object.assign(disk ?? {}, { logicalSectorBytes: 8192 }), 'disk'],
    ['no disk', (machine) => Object.assign(machine, { disks: [] }), 'disk'],
  ])('%s is still fatal', (_, change, field) => {
    const machine = structuredClone(standInOf(somePassport()));
    change(machine);
    expect(fatal(comparePassports(declared, machine)).join()).toContain(field);
  });

  test('it is recognised by its facts, wherever its cards are', () => {
    const station = { name: 'OS-SRV-1A', passport: declared };
    expect(recogniseStation(standInOf(somePassport()), [station])).toMatchObject({ kind: 'recognised' });
  });

  test('undeclared on either side it is refused, however alike', () => {
    const twin = { ...somePassport(), standIn: true };
    expect(fatal(comparePassports(somePassport(), twin))).toEqual(['rehearsal stand-in']);
    expect(fatal(comparePassports(twin, somePassport()))).toEqual(['rehearsal stand-in']);
  });

  test('the image of the station goes onto the stand-in that the service declares, and onto no other', () => {
    const machine = standInOf(somePassport());
    expect(checkIdentity(somePassport(), declared, machine).kind).toBe('accepted');
    expect(checkIdentity(somePassport(), somePassport(), machine).kind).toBe('refused');
    expect(checkIdentity(somePassport(), declared, somePassport()).kind).toBe('refused');
    // What was captured on a stand-in is no image for hardware.
    expect(checkIdentity(declared, somePassport(), somePassport()).kind).toBe('refused');
  });
});

describe('a run report', () => {
  const report = (passport: HardwarePassport, kind?: string) => ({
    formatVersion: 1,
    ...(kind === undefined ? {} : { kind }),
    jobId: 'job',
    station: 'OS-SRV-1A',
    image: null,
    manifestSha256: null,
    startedBy: { how: 'technician', technician: 'meier' },
    openedAt: '2026-11-27T09:00:00Z',
    closedAt: '2026-11-27T09:01:00Z',
    boot: [],
    machine: {
      formatVersion: 1,
      runId: '5245b1d1-0000-4000-8000-000000000001',
      purpose: 'recovery',
      outcome: 'restored',
      exitCode: 0,
      reasons: [],
      passport,
      ...{ differences: [], confirmed: [], disks: [], unverified: [], steps: [] },
    },
  });
  test('of a stand-in has its mark, of hardware has none, and neither can be turned into the other', () => {
    expect(runReportSchema.safeParse(report(declared, onStandIn)).success).toBe(true);
    expect(runReportSchema.safeParse(report(somePassport())).success).toBe(true);
    expect(runReportSchema.safeParse(report(declared)).success).toBe(false);
    expect(runReportSchema.safeParse(report(somePassport(), onStandIn)).success).toBe(false);
  });
});

describe('what a station has to show', () => {
  const record: RehearsalRecord = {
    formatVersion: 1,
    kind: onStandIn,
    station: stationNameSchema.parse('OS-SRV-1A'),
    image: 'OS-SRV-1A@20261120T020000Z',
    manifestSha256: '0',
    firmware: 'uefi',
    accelerator: 'tcg',
    startedAt: '2026-11-01T09:00:00Z',
    seconds: 200,
    outcome: 'passed',
    recovery: { runtimeSeconds: 20, restoredSeconds: 61.4 },
    started: 'unverified',
    runReportSha256: null,
    ...{ reasons: [], stages: [], proven: [], unverified: [] },
  };
  const says = (changes: Partial<RehearsalRecord>, now: string) =>
    describeRehearsal(judge({ ...record, ...changes }, 30, new Date(now)));
  test('age and time; too old, or failed, is no proof', () => {
    expect(says({}, '2026-11-27T09:00:00Z')).toBe('rehearsed 26 d ago on a stand-in, restored in 61 s');
    expect(says({}, '2026-12-01T09:00:00Z')).toBe('rehearsed 30 d ago on a stand-in, restored in 61 s');
    expect(says({}, '2026-12-02T09:00:00Z')).toBe('rehearsal too old (31 d)');
    expect(says({ outcome: 'failed' }, '2026-11-27T09:00:00Z')).toBe('REHEARSAL FAILED (26 d ago)');
  });
});

describe('planning a stand-in', () => {
  const where = { tap: 'tap0', fileOf: (disk: number) => `/scratch/disk${disk}.raw` };
  const disk = somePassport().disks[0] as PassportDisk;
  test('identity, cards in their order, disks with names, sizes and sectors', () => {
    const passport = {
      ...somePassport(),
      disks: [
        { ...disk, serial: 'S-1', wwn: 'naa.5000c500a1b2c3d4' },
        { ...disk, model: 'SEAGATE ST4000NM', serial: 'S-2', logicalSectorBytes: 4096 },
        { ...disk, serial: 'STICK', removable: true },
      ],
    };
    const { hardware, diskBytes } = planStandIn('OS-SRV-1A', passport, where);
    expect(hardware.smbios).toMatchObject({
      uuid: passport.system.uuid,
      boardProduct: passport.board.product,
    });
    expect(hardware.nics.map(({ mac }) => mac)).toEqual(passport.networkCards.map(({ mac }) => mac));
    expect(hardware.nics.map(({ tap }) => tap).filter(Boolean)).toEqual(['tap0']);
    expect(hardware.disks).toEqual([
      expect.objectContaining({ kind: 'sata', port: 0, serial: 'S-1', wwn: 0x5000c500a1b2c3d4n }),
      expect.objectContaining({ kind: 'scsi', vendor: 'SEAGATE', product: 'ST4000NM', sectorBytes: 4096 }),
    ]);
    expect(diskBytes).toEqual([disk.sizeBytes, disk.sizeBytes]);
  });
  test('a disk that nothing could name is refused, not approximated', () => {
    const passport = { ...somePassport(), disks: [{ ...disk, serial: 'X'.repeat(21), wwn: undefined }] };
    expect(() => planStandIn('OS-SRV-1A', passport as never, where)).toThrow(
      /no name that a virtual disk can carry/,
    );
  });
});
