import type { MachineHardware } from '../machine-hardware.ts';

export interface DemoHardwareChoice {
  /** Disk file; its format. */
  readonly disk: string;
  readonly format?: 'raw' | 'qcow2';
  /** Tap interface of the plant network; without one the cable is unplugged. */
  readonly tap?: string;
}

/** The demo station's hardware: what its passport will say. Variants are spread copies of this value. */
export function demoStationHardware({ disk, format = 'raw', tap }: DemoHardwareChoice): MachineHardware {
  return {
    smbios: {
      uuid: '5245b1d1-0000-4000-8000-000000000001',
      vendor: 'Rekindle Lab',
      product: 'Demo Station',
      serial: 'LAB-0001',
      boardVendor: 'Rekindle Lab',
      boardProduct: 'Demo Board',
      boardSerial: 'LAB-B-0001',
    },
    memoryMiB: 1024,
    cpus: 2,
    nics: [
      {
        model: 'virtio-net-pci',
        mac: '52:54:00:77:00:01',
        slot: 3,
        ...(tap === undefined ? {} : { tap }),
      },
    ],
    disks: [
      {
        kind: 'sata',
        file: disk,
        format,
        model: 'REKINDLE LAB DISK',
        serial: 'LAB-D-0001',
        // Name Authority 3: locally assigned, so it is nobody's real disk.
        wwn: 0x3000_0000_0077_0001n,
      },
    ],
  };
}
