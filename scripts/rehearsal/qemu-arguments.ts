import { RekindleError } from '#base/errors.ts';
import type {
  EmulatedDisk,
  EmulatedNic,
  InsertedMedium,
  MachineFirmware,
  MachineHardware,
} from './machine-hardware.ts';

export type Accelerator = 'kvm' | 'tcg';

/** Boot of a kernel without firmware's boot devices: only for installing the demo station. */
export interface DirectKernel {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
}

export interface QemuPlan {
  readonly name: string;
  readonly hardware: MachineHardware;
  readonly firmware: MachineFirmware;
  readonly accelerator: Accelerator;
  readonly bootFirst: 'network' | 'disk';
  /** `stop`: QEMU ends where the machine would start again. */
  readonly onReboot: 'restart' | 'stop';
  readonly directKernel?: DirectKernel;
  /** The firmware tries it before everything else. */
  readonly medium?: InsertedMedium;
}

/** File descriptors that QEMU inherits: sockets, so nothing has to be named in the file system. */
export const controlDescriptor = 3;
export const consoleDescriptor = 4;

/**
 * The plain x86-64 of 2003, which is what Debian is built for. What newer models add is dear to emulate: five
 * levels of page tables, and vector, AES and CRC instructions that programs choose because they are fast in
 * silicon. With `max` a kernel takes half as long again, SHA-256 twice as long. RDRAND spares the wait for entropy.
 */
const emulatedCpu = 'qemu64,+rdrand';

/** QEMU option values separate with commas; a comma inside of a value is doubled. */
const quote = (value: string): string => value.replaceAll(',', ',,');

export const nicDeviceId = (index: number): string => `nic${index}`;

const nicsBehindDisks = 200;
const firstDiskBootIndex = 100;

/**
 * QEMU `bootindex` of a NIC; disks have 100 and up. SeaBIOS and OVMF read both whenever they start, with the
 * values of that moment.
 */
export function nicBootIndex(index: number, bootFirst: 'network' | 'disk'): number {
  return bootFirst === 'network' ? index : nicsBehindDisks + index;
}

/**
 * Whole argument list of qemu-system-x86_64. Everything is named (`-nodefaults`), so the machine's passport
 * depends on `hardware` alone. The machine starts stopped (`-S`): the console is listened to from byte one.
 */
export function planQemuArguments(plan: QemuPlan): string[] {
  const { hardware, firmware } = plan;
  return [
    ...['-name', quote(plan.name)],
    ...['-no-user-config', '-nodefaults', '-S'],
    ...['-machine', chipset(firmware)],
    ...['-accel', plan.accelerator],
    ...['-cpu', plan.accelerator === 'kvm' ? 'host' : emulatedCpu],
    ...['-m', `${hardware.memoryMiB}`],
    ...['-smp', `${hardware.cpus}`],
    ...['-display', 'none', '-vga', 'std'],
    ...['-chardev', `socket,id=control,fd=${controlDescriptor}`, '-mon', 'chardev=control,mode=control'],
    ...['-chardev', `socket,id=console,fd=${consoleDescriptor}`, '-serial', 'chardev:console'],
    ...smbiosArguments(hardware),
    ...firmwareArguments(firmware),
    ...hardware.nics.flatMap((nic, index) => nicArguments(nic, index, plan)),
    ...(hardware.disks.some(({ kind }) => kind === 'scsi')
      ? ['-device', 'virtio-scsi-pci,id=scsi,addr=0x1c']
      : []),
    ...hardware.disks.flatMap(diskArguments),
    ...mediumArguments(plan.medium),
    ...(plan.onReboot === 'stop' ? ['-no-reboot'] : []),
    ...directKernelArguments(plan.directKernel),
  ];
}

function smbiosArguments({ smbios }: MachineHardware): string[] {
  const version = (text: string | undefined) => (text === undefined ? '' : `,version=${quote(text)}`);
  const system = `type=1,manufacturer=${quote(smbios.vendor)},product=${quote(smbios.product)}${version(smbios.version)},serial=${quote(smbios.serial)},uuid=${smbios.uuid}`;
  const board = `type=2,manufacturer=${quote(smbios.boardVendor)},product=${quote(smbios.boardProduct)}${version(smbios.boardVersion)},serial=${quote(smbios.boardSerial)}`;
  return ['-smbios', system, '-smbios', board];
}

function chipset(firmware: MachineFirmware): string {
  // Without "graphics" SeaBIOS shows its screen, and with it iPXE's, on the serial line as well.
  if (firmware.kind === 'bios') return 'q35,graphics=off';
  return firmware.secureBoot === true ? 'q35,smm=on' : 'q35';
}

function firmwareArguments(firmware: MachineFirmware): string[] {
  if (firmware.kind === 'bios') return [];
  return [
    // Only code in system management mode writes the variables, so that no system can take the keys away.
    ...(firmware.secureBoot === true ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
    ...['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${quote(firmware.code)}`],
    ...['-drive', `if=pflash,unit=1,format=raw,file=${quote(firmware.variableStore)}`],
  ];
}

function nicArguments(nic: EmulatedNic, index: number, plan: QemuPlan): string[] {
  const id = nicDeviceId(index);
  const slot = `0x${nic.slot.toString(16)}`;
  // OVMF has its own driver and PXE stack for virtio-net; QEMU's ROM file would put iPXE in its place.
  const rom = plan.firmware.kind === 'uefi' && nic.model === 'virtio-net-pci' ? ',romfile=' : '';
  const device = `${nic.model},id=${id},mac=${nic.mac},bus=pcie.0,addr=${slot},bootindex=${nicBootIndex(index, plan.bootFirst)}${rom}`;
  if (nic.tap === undefined) return ['-device', device];
  return [
    ...['-netdev', `tap,id=${id}-cable,ifname=${nic.tap},script=no,downscript=no`],
    ...['-device', `${device},netdev=${id}-cable`],
  ];
}

const sataPorts = 6;

function diskArguments(disk: EmulatedDisk, index: number): string[] {
  if (disk.kind === 'sata' && (disk.port ?? index) >= sataPorts) {
    throw new RekindleError(
      'usage',
      `disk ${index} cannot be SATA: the AHCI controller has ${sataPorts} ports`,
    );
  }
  const id = `disk${index}`;
  return [
    // discard=unmap: blocks that the guest discards become holes in the file and read as zeros.
    ...['-drive', `if=none,id=${id}-medium,file=${quote(disk.file)},format=${disk.format},discard=unmap`],
    ...[
      '-device',
      `${diskDevice(disk, index)},id=${id},drive=${id}-medium,bootindex=${firstDiskBootIndex + index}`,
    ],
  ];
}

function diskDevice(disk: EmulatedDisk, index: number): string {
  const serial = `serial=${quote(disk.serial)}`;
  switch (disk.kind) {
    case 'sata':
      return `ide-hd,bus=ide.${disk.port ?? index},${serial},model=${quote(disk.model)}${wwnOf(disk)}`;
    case 'scsi':
      return `scsi-hd,bus=scsi.0,${serial},vendor=${quote(disk.vendor)},product=${quote(disk.product)},logical_block_size=${disk.sectorBytes},physical_block_size=${disk.sectorBytes}${wwnOf(disk)}`;
    case 'virtio':
      return `virtio-blk-pci,${serial}`;
    case 'nvme':
      return `nvme,${serial}`;
  }
}

const wwnOf = ({ wwn }: { readonly wwn?: bigint }): string =>
  wwn === undefined ? '' : `,wwn=0x${wwn.toString(16)}`;

function mediumArguments(medium: InsertedMedium | undefined): string[] {
  if (medium === undefined) return [];
  const readonly = medium.writable === true ? 'off' : 'on';
  const drive = `if=none,id=medium,file=${quote(medium.file)},format=raw,readonly=${readonly}`;
  // The last port: a station's disks count from the first.
  if (medium.kind === 'cd')
    return [
      '-drive',
      `${drive},media=cdrom`,
      '-device',
      `ide-cd,bus=ide.${sataPorts - 1},drive=medium,bootindex=0`,
    ];
  return [
    ...['-drive', drive, '-device', 'qemu-xhci,id=usb,bus=pcie.0,addr=0x1d'],
    ...[
      '-device',
      `usb-storage,bus=usb.0,drive=medium,removable=on,serial=${quote(medium.serial ?? 'LAB-STICK')},bootindex=0`,
    ],
  ];
}

function directKernelArguments(kernel: DirectKernel | undefined): string[] {
  if (kernel === undefined) return [];
  return ['-kernel', kernel.kernel, '-initrd', kernel.initrd, '-append', kernel.commandLine];
}
