import type { Example } from './format-examples.ts';

/** What `rekindle VERB --help` ends with: commands as somebody would type them. */
export const verbExamples: Readonly<Record<string, readonly Example[]>> = {
  init: [
    'rekindle init --interface eth1',
    'rekindle init --interface eth1 --mode reservation --stations 10.77.0.20-10.77.0.99 --enrolment-pool 10.77.0.200-10.77.0.219',
  ],
  'runtime build': [
    'rekindle runtime build',
    'rekindle runtime build --fast',
    ['rekindle runtime build --newest', "with Debian's fixes, where a kernel was fetched before"],
    ['rekindle runtime build --kernel 6.1.0-50-amd64', 'a kernel of Debian that is not the newest'],
  ],
  serve: ['rekindle serve', 'rekindle serve --json 2>>/var/log/rekindle.jsonl'],
  doctor: [
    ['rekindle doctor', 'ports, interfaces, DHCP servers, packages, clock, certificates'],
    ['rekindle doctor --machine OS-SRV-1A', 'its last boots, and where they ended'],
    'rekindle doctor --capture boot.pcap --for 2m --machine 52:54:00:00:00:01',
  ],
  'user add': ['rekindle user add meier --role technician'],
  'user list': ['rekindle user list'],
  'user password': [['rekindle user password meier', 'the old one is asked of nobody']],
  'user remove': ['rekindle user remove meier'],
  'enrol open': [
    ['rekindle enrol open --for 15m', 'unknown machines, each once it is approved'],
    ['rekindle enrol open --for 15m --approve-all', 'whoever asks, e.g. in a workshop of your own'],
    ['rekindle enrol open --for 30m --station OS-SRV-1A', 'a station again, for a new image'],
  ],
  'enrol approve': [
    ['rekindle enrol approve', 'who waits'],
    ['rekindle enrol approve 52:54:00:00:00:01', 'this one may boot to be enrolled'],
  ],
  'enrol close': ['rekindle enrol close'],
  'enrol status': ['rekindle enrol status'],
  'station list': ['rekindle station list'],
  'station show': [
    ['rekindle station show OS-SRV-1A --boots', 'what it did, up to the restored system'],
    ['rekindle station show OS-SRV-1A --follow', 'and what it does now, as it happens'],
  ],
  'station add': ['rekindle station add OS-SRV-1A --passport passport.json'],
  'station set': [
    'rekindle station set OS-SRV-1A --address 10.77.0.21',
    'rekindle station set OS-SRV-1A --vlan 20 --fixed-address 10.77.20.5/24 --router 10.77.20.1',
    ['rekindle station set OS-SRV-1A --terminal-bus on', 'its captures are held back to 2500 KB/s'],
    [
      'rekindle station set OS-SRV-1A --loader signed-grub',
      'Secure Boot was switched on after its enrolment',
    ],
    ['rekindle station set OS-SRV-1A --loader none', 'as the site and its passport say again'],
  ],
  'station remove': ['rekindle station remove OS-SRV-1A'],
  'station arm': [
    'rekindle station arm OS-SRV-1A --image OS-SRV-1A@latest --for 30m',
    ['rekindle station arm OS-SRV-1A --image OS-SRV-1A@latest --for 2h --accept-replaced', 'its disk is new'],
  ],
  'station disarm': ['rekindle station disarm OS-SRV-1A'],
  'passport take': ['rekindle passport take --output passport.json'],
  'passport diff': ['rekindle passport diff image-passport.json machine-passport.json'],
  'driver-pack build': [
    'rekindle driver-pack build OS-SRV-1A',
    'rekindle driver-pack build universal',
    'rekindle driver-pack build OS-SRV-1A --winpe boot.wim --drivers /srv/drivers --output pe.wim',
  ],
  'driver-pack check': [
    'rekindle driver-pack check OS-SRV-1A',
    'rekindle driver-pack check OS-SRV-1A --winpe pe.wim',
  ],
  'driver-pack add-firmware': [
    'rekindle driver-pack add-firmware firmware-realtek',
    'rekindle driver-pack add-firmware firmware-bnx2=20230210-5',
  ],
  'driver-pack show': ['rekindle driver-pack show OS-SRV-1A'],
  'hook domain': [
    ['rekindle hook domain OS-SRV-1A', 'will the domain trust it, and has it come back?'],
    ['rekindle hook domain OS-SRV-1A --rejoin blob', 'what the station needs to rejoin, once'],
    ['rekindle hook domain OS-SRV-1A --rejoin blob --as meier', 'with your own account of the domain'],
  ],
  'hook dc': [
    ['rekindle hook dc DC-1', 'may its image be restored?'],
    ['rekindle hook dc DC-1 --proof', 'after the restore'],
  ],
  'image capture': [
    [
      'rekindle image capture --station OS-SRV-1A --disk /dev/sdb',
      'a disk that was taken out of its station',
    ],
    'rekindle image capture --station OS-SRV-1A --disk sda.raw,S1 --disk sdb.raw,S2 --passport passport.json',
    'rekindle image capture --station OS-SRV-1A --disk /dev/sda --online --pre-freeze "systemctl stop historian" --post-thaw "systemctl start historian"',
  ],
  'image copy': [
    'rekindle image copy OS-SRV-1A@latest --to /mnt/usb/images',
    [
      'rekindle image copy --all --to /mnt/nas/images --limit-rate 10M',
      'again each night: only what is missing is sent',
    ],
  ],
  'image export': [
    'rekindle image export OS-SRV-1A@latest --disk 0 --format vhdx --output OS-SRV-1A.vhdx',
    'rekindle image export OS-SRV-1A@20261120T020000Z --format raw --output /mnt/usb/disk0.raw --store /mnt/nas/images',
  ],
  'image import': [
    'rekindle image import OS-SRV-1A.vhdx --station OS-SRV-1A --passport passport.json --consistency snapshot-with-application-writers',
    'rekindle image import 0:3=C.vhdx 0:4=D.vhdx --base OS-SRV-1A@latest --station OS-SRV-1A',
    'rekindle image import system.qcow2 data.qcow2 --station OS-SRV-1A --disk-slot 0000:00:1f.2/ata1 --disk-slot 0000:00:1f.2/ata2',
  ],
  'image gc': [
    'rekindle image gc --dry-run',
    ['rekindle image gc', 'after prune; captures may run meanwhile'],
  ],
  'image list': ['rekindle image list', 'rekindle image list OS-SRV-1A --json'],
  inspect: [
    ['rekindle inspect /dev/sda --manifest manifest.json', 'a restored disk, on any Linux, before it starts'],
    'rekindle inspect OS-SRV-1A.raw --json',
  ],
  'image mount': [
    'rekindle image mount OS-SRV-1A@latest --disk 0 --volume 3 --at /mnt/projects',
    ['rekindle image mount OS-SRV-1A@latest --disk 0 --at /mnt/image', 'every volume in a folder of its own'],
    [
      'rekindle image mount OS-SRV-1A@latest --disk 0 --nbd /run/os-srv-1a.sock',
      'for guestfish, QEMU, nbdcopy',
    ],
  ],
  'image prune': [
    [
      'rekindle image prune --dry-run',
      'what the rules of rekindle.yaml would remove, and why the rest stays',
    ],
    'rekindle image prune OS-SRV-1A --keep-count 3 --keep-daily 7 --keep-monthly 12',
  ],
  'image show': ['rekindle image show OS-SRV-1A@latest'],
  'image verify': [
    'rekindle image verify OS-SRV-1A@latest',
    'rekindle image verify OS-SRV-1A@20261120T020000Z --store /mnt/usb/images',
    [
      'rekindle image verify --all --limit-rate 50M',
      'the whole store, each chunk once; interrupted, it goes on',
    ],
  ],
  'system-state add': [
    ['rekindle system-state add DC1 /mnt/wsb --keep 3', 'the share that wbadmin writes to, mounted here'],
    'rekindle system-state add DC1 /mnt/usb/WindowsImageBackup/DC1 --computer DC1',
  ],
  'system-state list': ['rekindle system-state list', 'rekindle system-state list DC1 --json'],
  'system-state verify': ['rekindle system-state verify DC1@latest', 'rekindle system-state verify --all'],
  'system-state remove': ['rekindle system-state remove DC1@20261120T020000Z'],
  'media build': [
    ['rekindle media build OS-SRV-1A --output OS-SRV-1A.iso', 'for a CD, or written to a USB stick as it is'],
    'rekindle media build OS-SRV-1A --output OS-SRV-1A.img --with-image OS-SRV-1A@latest',
    'rekindle media build OS-SRV-1A --output OS-SRV-1A.iso --server https://10.77.0.1:8443',
  ],
  'media install': [
    'rekindle media install OS-SRV-1A --disk /dev/sdb --partition 2',
    'rekindle media install OS-SRV-1A --disk /dev/sdb --partition 5 --with-image OS-SRV-1A@latest',
    [
      'rekindle media install OS-SRV-1A --disk OS-SRV-1A.raw,SSD-0001 --partition 2',
      'the disk file of a virtual machine',
    ],
    'rekindle media install OS-SRV-1A --disk /dev/sdb --partition 2 --remove',
  ],
  'media check': ['rekindle media check OS-SRV-1A.iso', 'rekindle media check /dev/sdb'],
  'hook show': ['rekindle hook show OS-SRV-1A'],
  'hook sql': [
    ["rekindle hook sql --server 'OS-SRV-1A\\WINCC' --user sa --pcs7 V8.1", 'the plan; nothing is changed'],
    'rekindle hook sql --server 10.77.0.21,1433 --user sa --pcs7 V8.1 --apply',
  ],
  restore: [
    'rekindle restore --store /mnt/usb/images --image OS-SRV-1A@latest --public-key image-signing.pub --dry-run',
    'rekindle restore --store /mnt/usb/images --image OS-SRV-1A@latest --volumes SYSTEM',
    ['rekindle restore --store /mnt/usb/images --image OS-SRV-1A@latest --volumes all', 'data volumes too'],
  ],
  rehearse: [
    'rekindle rehearse OS-SRV-1A',
    "rekindle rehearse OS-SRV-1A --marker 'login: ' --start-seconds 300",
    'rekindle rehearse --demo',
    'rekindle rehearse --demo --firmware bios --report /tmp/rehearsal',
    'rekindle rehearse --boot uefi-secure-boot --network proxy,relay',
    'rekindle rehearse --boot all --network all',
    'rekindle rehearse --boot bios-rom --compare 3',
  ],
  'report show': ['rekindle report show report.json'],
  'report tick': [
    'rekindle report tick report.json download',
    'rekindle report tick report.json synchronise --note "not redundant"',
  ],
  'report close': ['rekindle report close report.json --reason "reported by telephone"'],
  'report verify': [
    'rekindle report verify report.json',
    [
      'rekindle report verify report.json --public-key image-signing.pub',
      'on a computer without the site folder',
    ],
  ],
};
