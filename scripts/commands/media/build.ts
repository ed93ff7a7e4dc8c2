import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { commandLineKeys } from '#contract/command-line.ts';
import { formatStationNetwork } from '#contract/station-network.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import type { Configuration } from '#pxe-server/config/configuration.ts';
import { findServedInterfaces } from '#pxe-server/site/served-interface.ts';
import { readServedKernel } from '#pxe-server/site/served-kernel.ts';
import { readSigningKey } from '#pxe-server/site/site-keys.ts';
import { buildMediumPack } from '#pxe-server/stations/station-pack.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { buildMedium } from '../../media/build-medium.ts';
import { openSite, type SiteOption, withSite } from '../../site-option.ts';

interface Options extends SiteOption {
  readonly output: string;
  readonly server?: string;
  readonly card?: string;
}

export function buildCommand(): Command {
  return withSite(new Command('build'))
    .description('make the recovery medium of one station: CD or USB stick, BIOS or UEFI')
    .argument('<station>')
    .requiredOption('--output <file.iso>', 'where the ISO image goes')
    .option('--server <url>', "address of the service as the station sees it (default: this site's)")
    .option('--card <mac>', 'network card that the station uses (default: its first one)')
    .action(build);
}

async function build(name: string, options: Options): Promise<void> {
  const { state, paths, configuration } = await openSite(options);
  const station = getStation(state, name);
  const output = resolve(options.output);
  const kernel = await readServedKernel(paths);
  const driverPack = `${output}.driver-pack`;
  console.error(`building the driver pack for the medium of ${station.name}`);
  try {
    const pack = await buildMediumPack(paths, station, driverPack);
    if (pack.uncovered.length > 0) {
      const missing = pack.uncovered.map(({ className, id, slot }) => `${className} ${id} (${slot})`);
      throw new RekindleError(
        'verification-failed',
        `Building the recovery medium of ${station.name}: nothing drives ${missing.join('; ')}`,
        { next: `rekindle driver-pack check ${station.name}` },
      );
    }
    console.error('writing the ISO image');
    const built = await buildMedium({
      station: station.name,
      passport: station.passport,
      kernel: { version: kernel.version, file: paths.kernel },
      runtime: paths.runtimeImage,
      driverPack,
      commandLine: [
        `${commandLineKeys.server}=${options.server ?? serviceUrl(configuration)}`,
        `${commandLineKeys.bootMac}=${options.card ?? firstCard(station.name, station.passport)}`,
        `${commandLineKeys.purpose}=recovery`,
        ...formatStationNetwork(station.network),
        'console=ttyS0,115200',
        'console=tty0',
        'quiet',
      ],
      signingKey: await readSigningKey(paths),
      output,
      builtAt: new Date(),
    });
    console.log(`Recovery medium of ${station.name}: ${output}, ${formatBytes(built.bytes)}.`);
    console.log('It holds no password: a technician logs on when the station starts from it.');
    console.log(
      `Next: burn it, or write it to a USB stick (dd if=${options.output} of=/dev/sdX bs=4M conv=fsync).`,
    );
  } finally {
    await rm(driverPack, { force: true });
  }
}

function serviceUrl(configuration: Configuration): string {
  // A station that is started from the medium reaches the first of several interfaces, or none.
  const [served] = findServedInterfaces(configuration);
  return `https://${served?.address}:${configuration.https.port}`;
}

function firstCard(station: string, { networkCards: [card] }: HardwarePassport): string {
  if (card !== undefined) return card.mac;
  throw new RekindleError(
    'usage',
    `Building the recovery medium of ${station}: its passport names no network card`,
    {
      next: 'Name the card: --card 52:54:00:77:00:01',
    },
  );
}
