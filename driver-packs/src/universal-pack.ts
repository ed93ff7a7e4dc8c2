import type { ModuleIndex } from './module-index.ts';
import { type DriverPackPlan, withDiskDriver } from './plan-driver-pack.ts';

/** Folders of the kernel whose modules may stand between an unknown machine and its network or disks. */
const folders: readonly string[] = [
  'kernel/drivers/net/ethernet/',
  'kernel/drivers/net/hyperv/',
  'kernel/drivers/net/phy/',
  'kernel/drivers/net/vmxnet3/',
  'kernel/drivers/ata/',
  'kernel/drivers/message/fusion/',
  'kernel/drivers/mmc/',
  'kernel/drivers/nvme/host/',
  'kernel/drivers/scsi/',
  'kernel/drivers/usb/host/',
  'kernel/drivers/usb/storage/',
];

const single: readonly string[] = [
  'hv_storvsc',
  'virtio_blk',
  'virtio_net',
  'virtio_pci',
  'virtio_scsi',
  'vmd',
  'xen_blkfront',
  'xen_netfront',
];

/**
 * Left out: what boots from a storage network or needs a fabric instead of a disk, adapters of data
 * centres, PC Cards and self tests. A station that has one gets it in its own pack.
 */
const leftOut: readonly RegExp[] = [
  /\/pcmcia\/|\/pata_pcmcia\.ko$/,
  /\/(lpfc|qla2xxx|qla4xxx|bfa|be2iscsi|bnx2fc|bnx2i|qedf|qedi|cxgbi|csiostor|fnic|snic|fcoe|libfc|device_handler)\//,
  /\/(scsi_debug|iscsi_tcp|libiscsi\w*|scsi_transport_fc|scsi_transport_srp|ch|st|ses)\.ko$/,
  /\/nvme\/host\/nvme-(fc|rdma|tcp|fabrics)\.ko$/,
  /\/ethernet\/(netronome|cavium|chelsio|google|amazon|huawei|pensando|fungible|brocade|microsoft)\//,
  /\/ethernet\/(mellanox\/mlxsw|qlogic\/(netxen|qlcnic|qede?)|sfc)\//,
];

export function planUniversalPack(index: ModuleIndex): DriverPackPlan {
  const chosen = [...index.modules.values()]
    .filter(({ name, path }) => single.includes(name) || folders.some((folder) => path.startsWith(folder)))
    .filter(({ path }) => !leftOut.some((pattern) => pattern.test(path)))
    .map(({ name }) => name)
    .sort();
  return { kernel: index.kernel, modules: withDiskDriver(index, chosen), covers: [], uncovered: [] };
}
