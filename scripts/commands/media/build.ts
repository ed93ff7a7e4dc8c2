import { resolve } from 'node:path';
import { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { buildMedium, mediumKindOf } from '../../media/build-medium.ts';
import { openSite, type SiteOption, withSite } from '../../site-option.ts';
import { type MediumOptions, withMediumOrder } from './medium-order.ts';

type Options = SiteOption & MediumOptions & { readonly output: string };

export function buildCommand(): Command {
  return withSite(new Command('build'))
    .description('make the recovery medium of one station: CD or USB stick, BIOS or UEFI')
    .argument('<station>')
    .requiredOption(
      '--output <file>',
      'FILE.iso: a CD, or a stick that is never written. FILE.img: a stick that keeps the reports',
    )
    .option(
      '--with-image <ref>',
      'put this image on it, for a restore without any network. Whoever has the medium can read the image',
    )
    .option('--server <url>', "address of the service as the station sees it (default: this site's)")
    .option('--card <mac>', 'network card that the station uses (default: its first one)')
    .action(build);
}

async function build(name: string, options: Options): Promise<void> {
  const site = await openSite(options);
  const station = getStation(site.state, name);
  const output = resolve(options.output);
  mediumKindOf(output);
  const order = { ...options, driverPack: `${output}.driver-pack` };
  const { built, image } = await withMediumOrder(site, station, order, async (medium) => ({
    built: await buildMedium({ ...medium, output }),
    image: medium.image?.name,
  }));
  console.log(`Recovery medium of ${station.name}: ${output}, ${formatBytes(built.bytes)}.`);
  console.log('It holds no password: a technician logs on when the station starts from it.');
  if (image !== undefined) {
    console.log(`With ${formatImageRef(image)} on it the station is restored without network and log-on.`);
    console.log(
      'That image is readable by whoever has the medium: keep it like the disk of the station itself.',
    );
  }
  console.log(
    `Next: burn it, or write it to a USB stick (dd if=${options.output} of=/dev/sdX bs=4M conv=fsync).`,
  );
}
