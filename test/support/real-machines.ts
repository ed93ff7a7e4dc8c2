import type { HardwarePassport } from '#images/passport/hardware-passport.ts';

/**
 * Passports of machines that exist, typed by hand from public reports of linux-hardware.org (its repositories DMI and
 * LsPCI; the report is named at each). The reports carry no serial numbers, UUIDs, MAC addresses or disks: serials and
 * UUID are empty here, and MAC addresses are locally administered ones that number the cards. Machines of one model can
 * be told apart by nothing that is here.
 */

const mac = (number: number): string => `02:00:00:00:00:0${number}`;

function passport(
  facts: Pick<HardwarePassport, 'system' | 'board' | 'cpu' | 'memoryBytes' | 'firmware'> & {
    readonly networkCards: readonly { slot: string; id: string; subsystem: string }[];
    readonly storageControllers: HardwarePassport['storageControllers'];
    /** Other PCI functions of class 02. */
    readonly also?: readonly string[];
  },
): HardwarePassport {
  const { networkCards, storageControllers, also = [], ...others } = facts;
  return {
    formatVersion: 1,
    takenAt: '2026-11-27T00:00:00.000Z',
    standIn: false,
    ...others,
    networkCards: networkCards.map((card, at) => ({ ...card, mac: mac(at + 1) })),
    storageControllers,
    disks: [],
    modaliases: [
      ...networkCards.map((card) => modalias({ ...card, pciClass: '020000' })),
      ...storageControllers.map(modalias),
      ...also,
    ].sort(),
  };
}

function modalias({ id, subsystem, pciClass }: { id: string; subsystem: string; pciClass: string }): string {
  const [vendor, device, subVendor, subDevice] = `${id}:${subsystem}`.toUpperCase().split(':');
  const [base, sub, programming] = pciClass.toUpperCase().match(/../g) ?? [];
  return `pci:v0000${vendor}d0000${device}sv0000${subVendor}sd0000${subDevice}bc${base}sc${sub}i${programming}`;
}

export const realMachines = {
  /**
   * A tower server with a RAID controller beside its AHCI ports and one card with two ports. DMI: Server/Dell/PowerEdge
   * T320/7C98CB79C6C7; PCI: probe B416E87C4A.
   */
  powerEdgeT320: passport({
    system: { vendor: 'Dell Inc.', product: 'PowerEdge T320', version: '', serial: '', uuid: '' },
    board: { vendor: 'Dell Inc.', product: '0W7H8C', version: 'A03', serial: '' },
    cpu: { model: 'Intel(R) Xeon(R) CPU E5-2407 0 @ 2.20GHz', threads: 4 },
    memoryBytes: 8 * 1024 ** 3,
    firmware: { kind: 'uefi', version: '2.9.0', secureBoot: 'not-supported' },
    networkCards: [
      { slot: '0000:01:00.0', id: '14e4:165f', subsystem: '1028:04fa' },
      { slot: '0000:01:00.1', id: '14e4:165f', subsystem: '1028:04fa' },
    ],
    storageControllers: [
      { slot: '0000:00:1f.2', id: '8086:1d02', subsystem: '1028:04fa', pciClass: '010601', mode: 'ahci' },
      { slot: '0000:08:00.0', id: '1000:005b', subsystem: '1028:1f35', pciClass: '010400', mode: 'raid' },
    ],
  }),

  /**
   * An industrial mini-ITX board whose SATA ports run in IDE mode, with two network cards behind bridges, a wireless one
   * between them, and a placeholder in every second SMBIOS field. DMI: Desktop/Kontron/KTGM45/KTGM45-mITX/1C10B8E18805;
   * PCI: probe E4E65AC3EB (its report cuts off how 00:1f.2 is programmed: left out here).
   */
  kontronKtgm45: passport({
    system: {
      vendor: 'Kontron Technology',
      product: 'KTGM45/mITX',
      version: '00000000',
      serial: '',
      uuid: '',
    },
    board: { vendor: 'Kontron Technology', product: 'KTGM45/mITX', version: '00000000', serial: '' },
    cpu: { model: 'Intel(R) Core(TM)2 Duo CPU     T9400  @ 2.53GHz', threads: 2 },
    memoryBytes: 2 * 1024 ** 3,
    firmware: { kind: 'bios', version: '080016', secureBoot: 'not-supported' },
    networkCards: [
      { slot: '0000:04:00.0', id: '8086:10d3', subsystem: '8086:0000' },
      { slot: '0000:06:00.0', id: '8086:10d3', subsystem: '8086:0000' },
    ],
    storageControllers: [
      { slot: '0000:00:1f.5', id: '8086:292d', subsystem: '8086:292d', pciClass: '010185', mode: 'ide' },
      { slot: '0000:02:00.0', id: '197b:2368', subsystem: '197b:2363', pciClass: '010185', mode: 'ide' },
    ],
    also: ['pci:v00008086d00000082sv00008086sd00001301bc02sc80i00'],
  }),
} as const satisfies Record<string, HardwarePassport>;
