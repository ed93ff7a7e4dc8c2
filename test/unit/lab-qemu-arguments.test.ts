import { expect, test } from 'vitest';
import { demoStationHardware } from '#scripts/rehearsal/demo-station/hardware.ts';
import { planQemuArguments } from '#scripts/rehearsal/qemu-arguments.ts';

const hardware = demoStationHardware({ disk: '/state/disk.raw', tap: 'tap0' });

const common = (machine: string) => [
  ...['-no-user-config', '-nodefaults', '-S', '-machine', machine],
  ...[
    '-accel',
    'tcg',
    '-cpu',
    'qemu64,+rdrand',
    '-m',
    '1024',
    '-smp',
    '2',
    '-display',
    'none',
    '-vga',
    'std',
  ],
  ...['-chardev', 'socket,id=control,fd=3', '-mon', 'chardev=control,mode=control'],
  ...['-chardev', 'socket,id=console,fd=4', '-serial', 'chardev:console'],
  '-smbios',
  'type=1,manufacturer=Rekindle Lab,product=Demo Station,serial=LAB-0001,uuid=5245b1d1-0000-4000-8000-000000000001',
  '-smbios',
  'type=2,manufacturer=Rekindle Lab,product=Demo Board,serial=LAB-B-0001',
];

const disk = [
  ...['-drive', 'if=none,id=disk0-medium,file=/state/disk.raw,format=raw,discard=unmap'],
  '-device',
  'ide-hd,bus=ide.0,serial=LAB-D-0001,model=REKINDLE LAB DISK,wwn=0x3000000000770001,id=disk0,drive=disk0-medium,bootindex=100',
];

test('a BIOS machine that starts from the network keeps the ROM of its card', () => {
  const args = planQemuArguments({
    name: 'OS-SRV-1A',
    hardware,
    firmware: { kind: 'bios' },
    accelerator: 'tcg',
    bootFirst: 'network',
    onReboot: 'restart',
  });
  expect(args).toEqual([
    ...['-name', 'OS-SRV-1A'],
    ...common('q35,graphics=off'),
    ...['-netdev', 'tap,id=nic0-cable,ifname=tap0,script=no,downscript=no'],
    '-device',
    'virtio-net-pci,id=nic0,mac=52:54:00:77:00:01,bus=pcie.0,addr=0x3,bootindex=0,netdev=nic0-cable',
    ...disk,
  ]);
});

test('a UEFI machine that starts from its disk uses the network code of its firmware, behind the disk', () => {
  const args = planQemuArguments({
    name: 'OS-SRV-1A',
    hardware,
    firmware: { kind: 'uefi', code: '/firmware/code.fd', variableStore: '/state/variables.fd' },
    accelerator: 'tcg',
    bootFirst: 'disk',
    onReboot: 'stop',
  });
  expect(args).toEqual([
    ...['-name', 'OS-SRV-1A'],
    ...common('q35'),
    ...['-drive', 'if=pflash,unit=0,format=raw,readonly=on,file=/firmware/code.fd'],
    ...['-drive', 'if=pflash,unit=1,format=raw,file=/state/variables.fd'],
    ...['-netdev', 'tap,id=nic0-cable,ifname=tap0,script=no,downscript=no'],
    '-device',
    'virtio-net-pci,id=nic0,mac=52:54:00:77:00:01,bus=pcie.0,addr=0x3,bootindex=200,romfile=,netdev=nic0-cable',
    ...disk,
    '-no-reboot',
  ]);
});

test('other hardware: unplugged Intel card, virtio and NVMe disks, KVM, a kernel of its own', () => {
  const args = planQemuArguments({
    name: 'a,b',
    hardware: {
      smbios: { ...hardware.smbios, vendor: 'Lab, Inc' },
      memoryMiB: 512,
      cpus: 1,
      nics: [{ model: 'e1000e', mac: '52:54:00:77:00:02', slot: 20 }],
      disks: [
        { kind: 'virtio', file: '/d,0', format: 'qcow2', serial: 'V' },
        { kind: 'nvme', file: '/d1', format: 'raw', serial: 'N' },
      ],
    },
    firmware: { kind: 'bios' },
    accelerator: 'kvm',
    bootFirst: 'disk',
    onReboot: 'restart',
    directKernel: { kernel: '/vmlinuz', initrd: '/initrd', commandLine: 'quiet a,b' },
  });
  expect(args).toEqual([
    ...['-name', 'a,,b', '-no-user-config', '-nodefaults', '-S', '-machine', 'q35,graphics=off'],
    ...['-accel', 'kvm', '-cpu', 'host', '-m', '512', '-smp', '1', '-display', 'none', '-vga', 'std'],
    ...['-chardev', 'socket,id=control,fd=3', '-mon', 'chardev=control,mode=control'],
    ...['-chardev', 'socket,id=console,fd=4', '-serial', 'chardev:console'],
    '-smbios',
    'type=1,manufacturer=Lab,, Inc,product=Demo Station,serial=LAB-0001,uuid=5245b1d1-0000-4000-8000-000000000001',
    '-smbios',
    'type=2,manufacturer=Rekindle Lab,product=Demo Board,serial=LAB-B-0001',
    ...['-device', 'e1000e,id=nic0,mac=52:54:00:77:00:02,bus=pcie.0,addr=0x14,bootindex=200'],
    ...['-drive', 'if=none,id=disk0-medium,file=/d,,0,format=qcow2,discard=unmap'],
    ...['-device', 'virtio-blk-pci,serial=V,id=disk0,drive=disk0-medium,bootindex=100'],
    ...['-drive', 'if=none,id=disk1-medium,file=/d1,format=raw,discard=unmap'],
    ...['-device', 'nvme,serial=N,id=disk1,drive=disk1-medium,bootindex=101'],
    ...['-kernel', '/vmlinuz', '-initrd', '/initrd', '-append', 'quiet a,b'],
  ]);
});

test('a seventh SATA disk is refused: the chipset has six ports', () => {
  const [first] = hardware.disks;
  if (first === undefined) throw new Error('the demo station has a disk');
  const plan = () =>
    planQemuArguments({
      name: 'full',
      hardware: { ...hardware, disks: Array.from({ length: 7 }, () => first) },
      firmware: { kind: 'bios' },
      accelerator: 'tcg',
      bootFirst: 'disk',
      onReboot: 'restart',
    });
  expect(plan).toThrow('disk 6 cannot be SATA: the AHCI controller has 6 ports');
});
