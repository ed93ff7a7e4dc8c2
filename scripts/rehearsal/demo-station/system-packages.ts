/** What the demo station's Debian consists of, and what is left out of it to keep it small. */

export const systemPackages = [
  'systemd',
  'systemd-sysv',
  'udev',
  'dbus',
  'iproute2',
  'linux-image-amd64',
  'initramfs-tools',
  'zstd',
  'grub2-common',
  'grub-pc-bin',
  'grub-efi-amd64-bin',
  'efibootmgr',
  'ntfs-3g',
] as const;

/** Of the two packages that say "/usr is merged" apt would take the one that needs the whole of Perl. */
export const aptPreferences = 'Package: usrmerge\nPin: release *\nPin-Priority: -1\n';

const leftOut = [
  '/usr/share/doc/*',
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/usr/share/i18n/*',
  '/usr/share/zoneinfo/*',
  '/usr/lib/udev/hwdb.d/*',
  '/lib/udev/hwdb.d/*',
  '/usr/share/grub/*.pf2',
  '/usr/lib/grub/x86_64-efi/monolithic/*',
] as const;

/**
 * Below `kernel/` of the module tree: the lab's controllers and NICs, file systems, and what logind needs for
 * the power button. Every further module that udev finds a device for costs time at every emulated boot.
 */
const kernelModules = [
  'arch/x86/crypto/crc*',
  'block/*',
  'crypto/crc*',
  'crypto/xor.*',
  'drivers/acpi/button.*',
  'drivers/ata/ahci.*',
  'drivers/ata/lib*',
  'drivers/block/virtio_blk.*',
  'drivers/dca/*',
  'drivers/i2c/algos/i2c-algo-bit.*',
  'drivers/input/evdev.*',
  'drivers/net/ethernet/intel/e1000/*',
  'drivers/net/ethernet/intel/e1000e/*',
  'drivers/net/ethernet/intel/igb/*',
  'drivers/net/net_failover.*',
  'drivers/net/virtio_net.*',
  'drivers/net/vmxnet3/*',
  'drivers/nvme/common/*',
  'drivers/nvme/host/nvme.*',
  'drivers/nvme/host/nvme-core.*',
  'drivers/pps/pps_core.*',
  'drivers/ptp/ptp.*',
  'drivers/scsi/scsi_common.*',
  'drivers/scsi/scsi_mod.*',
  'drivers/scsi/sd_mod.*',
  'drivers/virtio/*',
  'fs/efivarfs/*',
  'fs/ext4/*',
  'fs/fat/*',
  'fs/fuse/fuse.*',
  'fs/jbd2/*',
  'fs/mbcache.*',
  'fs/nls/nls_ascii.*',
  'fs/nls/nls_cp437.*',
  'lib/crc*',
  'net/core/*',
] as const;

// Both places of a module: before and after Debian's merge of /lib into /usr inside of packages.
const moduleTrees = ['/lib/modules/*/kernel', '/usr/lib/modules/*/kernel'] as const;

/** Options of dpkg; a later one wins over an earlier one. */
export const dpkgOptions: readonly string[] = [
  ...leftOut.map((pattern) => `path-exclude=${pattern}`),
  ...moduleTrees.map((tree) => `path-exclude=${tree}/*`),
  ...moduleTrees.flatMap((tree) => kernelModules.map((pattern) => `path-include=${tree}/${pattern}`)),
];

/** Units that do nothing for this station but take time at every emulated boot. */
export const maskedUnits = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'kmod-static-nodes.service',
  'modprobe@.service',
  'proc-sys-fs-binfmt_misc.automount',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-ask-password-console.path',
  'systemd-ask-password-wall.path',
  'systemd-binfmt.service',
  'systemd-fsckd.socket',
  'systemd-journal-flush.service',
  'systemd-journald-audit.socket',
  'systemd-modules-load.service',
  'systemd-network-generator.service',
  'systemd-networkd-wait-online.service',
  'systemd-pstore.service',
  'systemd-sysctl.service',
  'systemd-sysusers.service',
  'systemd-tmpfiles-clean.timer',
  'systemd-tpm2-setup.service',
  'systemd-tpm2-setup-early.service',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
] as const;

/** systemd's generators run before the first unit, all at once; of these none has anything to generate. */
export const maskedGenerators = [
  'systemd-bless-boot-generator',
  'systemd-cryptsetup-generator',
  'systemd-debug-generator',
  'systemd-gpt-auto-generator',
  'systemd-hibernate-resume-generator',
  'systemd-integritysetup-generator',
  'systemd-rc-local-generator',
  'systemd-run-generator',
  'systemd-system-update-generator',
  'systemd-sysv-generator',
  'systemd-tpm2-generator',
  'systemd-veritysetup-generator',
] as const;
