import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { parseImageRef } from '#images/format/image-name.ts';
import { resolveImage } from '#images/stores/image-folder.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { arm, disarm } from '#pxe-server/stations/arming.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { parseDuration } from '../../duration.ts';
import { formatTime } from '../../format-time.ts';
import { openSite, operatorName, type SiteOption, withSite } from '../../site-option.ts';

export function armCommand(): Command {
  return withSite(new Command('arm'))
    .description('allow one restore without a log-on, for a limited time')
    .argument('<name>')
    .requiredOption('--image <ref>', 'STATION@latest or STATION@<UTC time>')
    .requiredOption('--for <time>', 'how long, e.g. 30m', parseDuration)
    .option(
      '--accept-replaced',
      'also when parts were replaced by others of their class, a new disk for example',
    )
    .action(armStation);
}

export function disarmCommand(): Command {
  return withSite(new Command('disarm'))
    .description('take the permission back')
    .argument('<name>')
    .action(async (name: string, options: SiteOption) => {
      const { state } = await openSite(options);
      const station = getStation(state, name).name;
      console.log(
        disarm(state, station) ? `Station ${station} is disarmed.` : `Station ${station} was not armed.`,
      );
    });
}

async function armStation(
  name: string,
  options: SiteOption & { readonly image: string; readonly for: number; readonly acceptReplaced?: true },
): Promise<void> {
  const { state, configuration, paths } = await openSite(options);
  const { name: station } = getStation(state, name);
  const ref = parseImageRef(options.image);
  if (ref.station !== station) {
    throw new RekindleError('usage', `Arming ${station}: ${options.image} is an image of another station`, {
      next: `Name an image of this one: ${station}@latest, or rekindle image list ${station}.`,
    });
  }
  await resolveImage(storeFolder(configuration, paths.folder), ref);
  const until = new Date(Date.now() + options.for);
  const acceptsReplaced = options.acceptReplaced === true;
  arm(state, { station, image: options.image, until, by: operatorName(), acceptsReplaced });
  console.log(
    `Station ${station} restores ${options.image} without a log-on, once, until ${formatTime(until)}.\n` +
      (acceptsReplaced
        ? 'Replaced parts of the same class are confirmed by this; the report names them.'
        : 'If a part was replaced it waits for a person, unless you arm it with --accept-replaced.'),
  );
}
