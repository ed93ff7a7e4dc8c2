import type { HardwarePassport } from '#images/passport/hardware-passport.ts';

/** A complete passport of a plain industrial PC; tests change what they are about. */
export function somePassport(): HardwarePassport {
  return {
    formatVersion: 1,
    takenAt: '2026-11-20T02:00:00Z',
    standIn: false,
    system: {
      vendor: 'Example Works',
      product: 'Panel PC 7',
      version: '1',
      serial: 'PP7-0001',
      uuid: '3f0c9f0e-51f4-4c5a-9d5a-0d6f6c1b2a01',
    },
    board: { vendor: 'Example Boards', product: 'B-70', version: 'A2', serial: 'B70-0042' },
    cpu: { model: 'Example CPU 3.4 GHz', threads: 4 },
    memoryBytes: 8 * 1024 ** 3,
    firmware: { kind: 'uefi', version: '2.10', secureBoot: 'disabled' },
    networkCards: [
      { slot: '0000:00:02.0', id: '8086:10d3', subsystem: '8086:0000', mac: '52:54:00:00:00:01' },
      { slot: '0000:00:03.0', id: '1af4:1000', subsystem: '1af4:0001', mac: '52:54:00:00:00:02' },
    ],
    storageControllers: [
      { slot: '0000:00:1f.2', id: '8086:2922', subsystem: '1af4:1100', pciClass: '010601', mode: 'ahci' },
    ],
    disks: [
      {
        slot: '0000:00:1f.2/ata1',
        model: 'EXAMPLE SSD 240',
        serial: 'SSD-0001',
        wwn: 'naa.5000000000000001',
        sizeBytes: 240_057_409_536,
        logicalSectorBytes: 512,
        physicalSectorBytes: 4096,
        removable: false,
      },
    ],
    modaliases: [
      'pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00',
      'pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00',
      'pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01',
    ],
  };
}
