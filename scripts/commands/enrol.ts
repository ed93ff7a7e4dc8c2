import { Command } from 'commander';
import { closeEnrolment, currentEnrolment, openEnrolment } from '#pxe-server/stations/enrolment-window.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { parseDuration } from '../duration.ts';
import { openSite, operatorName, type SiteOption, withSite } from '../site-option.ts';

interface OpenOptions extends SiteOption {
  readonly for: number;
  readonly station?: string;
}

export function enrolCommand(): Command {
  const command = new Command('enrol').description(
    'the enrolment window: who may boot to be enrolled and captured',
  );

  withSite(command.command('open'))
    .description('let unknown machines, or one station again, boot to be captured')
    .requiredOption('--for <time>', 'how long, e.g. 15m', parseDuration)
    .option('--station <name>', 'only this station, to be captured again')
    .action(async (options: OpenOptions) => {
      const { state } = await openSite(options);
      const station = options.station === undefined ? undefined : getStation(state, options.station).name;
      const { openUntil } = openEnrolment(state, {
        milliseconds: options.for,
        by: operatorName(),
        ...(station === undefined ? {} : { station }),
      });
      const who = station === undefined ? 'Unknown machines' : `Station ${station}`;
      console.log(`${who} may boot to be enrolled until ${openUntil.toISOString()}.`);
    });

  withSite(command.command('close'))
    .description('close the window')
    .action(async (options: SiteOption) => {
      const { state } = await openSite(options);
      closeEnrolment(state);
      console.log('The enrolment window is closed.');
    });

  withSite(command.command('status'))
    .description('say whether the window is open')
    .option('--json', 'as JSON')
    .action(async (options: SiteOption & { readonly json?: boolean }) => {
      const { state } = await openSite(options);
      const window = currentEnrolment(state);
      if (options.json === true) return console.log(JSON.stringify(window ?? null));
      console.log(
        window === undefined
          ? 'The enrolment window is closed.'
          : `The enrolment window is open until ${window.openUntil.toISOString()} for ${window.station ?? 'unknown machines'}, opened by ${window.openedBy}.`,
      );
    });
  return command;
}
