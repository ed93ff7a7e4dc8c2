import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { installMedium, removeInstalled } from '../../media/install-medium.ts';
import { findOwnDiskPartition, type OwnDiskPartition } from '../../media/own-disk-partition.ts';
import { openSite, type SiteOption, withSite } from '../../site-option.ts';
import { parseSource } from '../image/source-disk.ts';
import { type MediumOptions, withMediumOrder } from './medium-order.ts';

type Options = SiteOption &
  MediumOptions & { readonly disk: string; readonly partition: number; readonly remove?: boolean };

export function installCommand(): Command {
  return withSite(new Command('install'))
    .description("put a station's recovery into a partition of its own disk, as files beside what is there")
    .argument('<station>')
    .requiredOption(
      '--disk <disk>',
      "the station's disk, attached here and in use by nobody, or a file of it; DISK,SERIAL says which one it is",
    )
    .requiredOption(
      '--partition <number>',
      'a partition with a FAT file system, e.g. the EFI one',
      parseNumber,
    )
    .option(
      '--with-image <ref>',
      'this image too, for a restore without any network. Whoever has the disk can read it',
    )
    .option('--server <url>', "address of the service as the station sees it (default: this site's)")
    .option('--card <mac>', 'network card that the station uses (default: its first one)')
    .option('--remove', 'take it away again; reports of restores stay')
    .action(install);
}

async function install(name: string, options: Options): Promise<void> {
  const site = await openSite(options);
  const station = getStation(site.state, name);
  const target = await findOwnDiskPartition(await parseSource(options.disk), options.partition, station);
  const signer = await readSigningPublicKey(site.paths);
  const where = `partition ${options.partition} of ${target.disk}`;
  if (options.remove === true) {
    const removed = await removeInstalled(station.name, target, signer);
    console.log(`The recovery of ${station.name} ${removed ? 'was removed from' : 'is not in'} ${where}.`);
    return;
  }
  const driverPack = join(tmpdir(), `rekindle-driver-pack-${process.pid}`);
  const { bytes, image } = await withMediumOrder(
    site,
    station,
    { ...options, driverPack },
    async (order) => ({
      ...(await installMedium(order, target, signer)),
      image: order.image?.name,
    }),
  );
  console.log(`The recovery of ${station.name} is in ${where}: ${formatBytes(bytes)}, read back and right.`);
  if (image === undefined) console.log('Without an image in it, a restore needs the recovery service.');
  else console.log(`${formatImageRef(image)} is in it; whoever has the disk can read it.`);
  for (const line of howToStart(target)) console.log(line);
}

/** Nobody but the station's own firmware and boot loader can start it; this says how each is told. */
function howToStart({ partition, fileSystemUuid }: OwnDiskPartition): string[] {
  const path = '\\EFI\\rekindle\\shimx64.efi';
  const partitionWords = `--disk DISK --part ${partition.number}`;
  return [
    'Next, once, at the station: an entry in its boot menu. What it starts by itself stays first.',
    `  Linux, UEFI   efibootmgr --create ${partitionWords} --label "Rekindle recovery" --loader '${path}'`,
    '                efibootmgr --bootorder, with the number of the new entry last',
    '  Windows       bcdedit /copy {bootmgr} /d "Rekindle recovery", then with the identifier that it prints:',
    `                bcdedit /set {IDENTIFIER} path ${path}`,
    '                bcdedit /set {fwbootmgr} displayorder {IDENTIFIER} /addlast',
    '  GRUB menu     (BIOS too) in /boot/grub/custom.cfg:',
    `                menuentry "Rekindle recovery" { search --no-floppy --fs-uuid --set=root ${fileSystemUuid}; configfile /boot/grub/grub.cfg }`,
    'A restore brings the GRUB menu back as it was in the image: add the entry before the image is taken, or again.',
  ];
}

function parseNumber(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 128) return number;
  throw new InvalidArgumentError('Write the number of a partition.');
}
