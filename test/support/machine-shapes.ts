/**
 * Machines of QEMU that differ in what an inventory can stumble over. The value makes the part of QEMU's command line
 * that is the machine, from the path of a blank 64 MiB disk, which stands behind all of its disks.
 */

type Shape = (disk: string) => string[];

const smbios = (fields: string): string[] => ['-smbios', `type=1,${fields}`];
const drive = (id: string, file: string): string[] => [
  '-drive',
  `id=${id},file=${file},format=raw,if=none,snapshot=on`,
];
const device = (description: string): string[] => ['-device', description];
/** A card on a network that has nobody else. */
const card = (model: string, mac: string, where: string): string[] => [
  ...['-netdev', `hubport,id=net${mac.slice(-2)},hubid=0`],
  ...device(`${model},netdev=net${mac.slice(-2)},mac=${mac},${where}`),
];

export const machineShapes: Readonly<Record<string, Shape>> = {
  /** The PC of 1996: PIIX3 IDE, two PCI cards; a UUID of zeros, empty serials, a disk that QEMU names itself. */
  'i440fx-ide': (disk) => [
    ...['-machine', 'pc'],
    ...smbios('manufacturer=Example Works,product=Old PC,serial=,uuid=00000000-0000-0000-0000-000000000000'),
    ...['-smbios', 'type=2,manufacturer=Example Boards,product=B-1,serial=None'],
    ...drive('a', disk),
    ...device('ide-hd,bus=ide.0,unit=0,drive=a,model=EXAMPLE IDE DISK'),
    ...drive('b', disk),
    ...device('ide-hd,bus=ide.1,unit=1,drive=b,serial=IDE-0002'),
    ...card('e1000', '52:54:00:00:01:01', 'addr=0x3'),
    ...card('rtl8139', '52:54:00:00:01:02', 'addr=0x5'),
  ],
  /** Four-kilobyte sectors, two name spaces of one controller, another controller beside; a vendor's example UUID. */
  'q35-nvme-4kn': (disk) => [
    ...['-machine', 'q35'],
    ...smbios(
      'manufacturer=Example Works,product=Panel PC,serial=System Serial Number,uuid=03000200-0400-0500-0006-000700080009',
    ),
    ...['-smbios', 'type=2,manufacturer=Example Boards,product=B-70,serial=Default string'],
    ...device('pcie-root-port,id=p1,bus=pcie.0,addr=0x4,chassis=1,slot=1'),
    ...device('nvme,id=n1,serial=NVME-4KN,bus=p1'),
    ...drive('a', disk),
    ...device(
      'nvme-ns,drive=a,bus=n1,nsid=1,logical_block_size=4096,physical_block_size=4096,eui64=0x0011223344556601',
    ),
    ...drive('b', disk),
    ...device('nvme-ns,drive=b,bus=n1,nsid=2,logical_block_size=512,eui64=0x0011223344556602'),
    ...drive('c', disk),
    ...device('nvme,drive=c,serial=NVME-PLAIN,addr=0x6'),
    ...card('e1000e', '52:54:00:00:02:01', 'addr=0x3'),
  ],
  /** One serial number on three disks (cloned by a vendor, or by nobody's care), one of them with a WWN. */
  'q35-duplicate-serials': (disk) => [
    ...['-machine', 'q35'],
    ...smbios(
      'manufacturer=Example Works,product=Panel PC,serial=PP-3,uuid=6f1d6f3a-0000-4000-8000-000000000003',
    ),
    ...drive('a', disk),
    ...device('ide-hd,bus=ide.0,drive=a,serial=SAME-0001,model=EXAMPLE SSD'),
    ...drive('b', disk),
    ...device('ide-hd,bus=ide.2,drive=b,serial=SAME-0001,model=EXAMPLE SSD'),
    ...drive('c', disk),
    ...device('ide-hd,bus=ide.4,drive=c,serial=SAME-0001,model=EXAMPLE SSD,wwn=0x5000c50000000031'),
    ...card('virtio-net-pci', '52:54:00:00:03:01', 'addr=0x3'),
  ],
  /** Disks without any serial number or WWN: virtio, SCSI, a USB stick. */
  'q35-nameless-disks': (disk) => [
    ...['-machine', 'q35'],
    ...smbios(
      'manufacturer=Example Works,product=Panel PC,serial=PP-4,uuid=ffffffff-ffff-ffff-ffff-ffffffffffff',
    ),
    ...drive('a', disk),
    ...device('virtio-blk-pci,drive=a,addr=0x8'),
    ...device('virtio-scsi-pci,id=scsi,addr=0x9'),
    ...drive('b', disk),
    ...device('scsi-hd,bus=scsi.0,scsi-id=1,drive=b'),
    ...device('qemu-xhci,id=xhci,addr=0x10'),
    ...drive('c', disk),
    ...device('usb-storage,bus=xhci.0,port=1,drive=c'),
    ...card('virtio-net-pci', '52:54:00:00:04:01', 'addr=0x3'),
  ],
  /** RAID and SCSI hosts of three makers with WWNs; one disk with two paths, which shows its WWN twice. */
  'q35-scsi-hosts': (disk) => [
    ...['-machine', 'q35'],
    ...smbios(
      'manufacturer=Example Works,product=Server,serial=SRV-5,uuid=6f1d6f3a-0000-4000-8000-000000000005',
    ),
    ...device('megasas,id=raid,addr=0x5'),
    ...drive('a', disk),
    ...device(
      'scsi-hd,bus=raid.0,scsi-id=0,drive=a,serial=RAID-0001,wwn=0x5000c50000000051,vendor=EXAMPLE,product=VOLUME 1',
    ),
    ...device('lsi53c895a,id=lsi,addr=0x6'),
    ...drive('b', disk),
    ...device('scsi-hd,bus=lsi.0,scsi-id=2,drive=b,serial=LSI-0001,wwn=0x5000c50000000052'),
    ...device('pvscsi,id=pv,addr=0x7'),
    ...drive('c', disk),
    ...device('scsi-hd,bus=pv.0,scsi-id=1,drive=c,serial=PATH-0001,wwn=0x5000c50000000053'),
    ...device('virtio-scsi-pci,id=vs,addr=0x9'),
    ...drive('d', disk),
    ...device('scsi-hd,bus=vs.0,scsi-id=1,drive=d,serial=PATH-0001,wwn=0x5000c50000000053'),
    ...card('e1000', '52:54:00:00:05:01', 'addr=0x3'),
  ],
  /** Seven network cards of six models, in an order of slots that is not the order of their addresses, some behind bridges. */
  'q35-many-cards': (disk) => [
    ...['-machine', 'q35'],
    ...smbios(
      'manufacturer=Example Works,product=Gateway,serial=GW-6,uuid=6f1d6f3a-0000-4000-8000-000000000006',
    ),
    ...device('pcie-root-port,id=p1,bus=pcie.0,addr=0x4,chassis=1,slot=1'),
    ...device('pcie-root-port,id=p2,bus=pcie.0,addr=0x5,chassis=2,slot=2'),
    ...device('pcie-pci-bridge,id=b1,bus=p2'),
    ...card('e1000e', '52:54:00:00:06:07', 'bus=p1'),
    ...card('rtl8139', '52:54:00:00:06:06', 'bus=b1,addr=0x2'),
    ...card('pcnet', '52:54:00:00:06:05', 'bus=b1,addr=0x1'),
    ...card('vmxnet3', '52:54:00:00:06:04', 'addr=0x9'),
    ...card('virtio-net-pci', '52:54:00:00:06:03', 'addr=0x8'),
    ...card('e1000', '52:54:00:00:06:02', 'addr=0x7,multifunction=on'),
    ...card('e1000', '52:54:00:00:06:01', 'addr=0x7.1'),
    ...drive('a', disk),
    ...device('ide-hd,bus=ide.0,drive=a,serial=GW-DISK'),
  ],
  /** What comes and goes: USB sticks of both protocols, a USB network adapter (a dock's), an SD card, an optical drive. */
  'q35-removable-things': (disk) => [
    ...['-machine', 'q35'],
    ...smbios(
      'manufacturer=Example Works,product=Panel PC,serial=PP-7,uuid=6f1d6f3a-0000-4000-8000-000000000007',
    ),
    ...device('qemu-xhci,id=xhci,addr=0x10'),
    ...drive('a', disk),
    ...device('usb-storage,bus=xhci.0,port=1,drive=a,serial=STICK-0001,removable=on'),
    ...device('usb-uas,id=uas,bus=xhci.0,port=2'),
    ...drive('b', disk),
    ...device('scsi-hd,bus=uas.0,scsi-id=0,lun=0,drive=b,serial=UAS-0001'),
    ...[
      '-netdev',
      'hubport,id=dock,hubid=1',
      ...device('usb-net,bus=xhci.0,port=3,netdev=dock,mac=52:54:00:00:07:99'),
    ],
    ...device('sdhci-pci,id=sd,addr=0x6'),
    ...drive('c', disk),
    ...device('sd-card,drive=c'),
    ...drive('d', disk),
    ...device('ide-cd,bus=ide.1,drive=d'),
    ...drive('e', disk),
    ...device('ide-hd,bus=ide.0,drive=e,serial=BUILT-IN,model=EXAMPLE SSD,rotation_rate=1'),
    ...card('virtio-net-pci', '52:54:00:00:07:01', 'addr=0x3'),
  ],
};
