import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { type MacAddress, parseMacAddress } from '#pxe-server/boot/mac-address.ts';
import {
  approveMachine,
  closeEnrolment,
  currentEnrolment,
  type EnrolmentWindow,
  openEnrolment,
  waitingMachines,
} from '#pxe-server/stations/enrolment-window.ts';
import { getStation } from '#pxe-server/stations/station-registry.ts';
import { parseDuration } from '../duration.ts';
import { say } from '../fit-terminal.ts';
import { formatTime } from '../format-time.ts';
import { openSite, operatorName, type SiteOption, withSite } from '../site-option.ts';

interface OpenOptions extends SiteOption {
  readonly for: number;
  readonly station?: string;
  readonly approveAll?: boolean;
}

export function enrolCommand(): Command {
  const command = new Command('enrol').description(
    'the enrolment window: who may boot to be enrolled and captured',
  );

  withSite(command.command('open'))
    .description('let unknown machines, or one station again, boot to be captured')
    .requiredOption('--for <time>', 'how long, e.g. 15m', parseDuration)
    .option('--station <name>', 'only this station, to be captured again')
    .option('--approve-all', 'whoever asks; otherwise each unknown machine waits for `enrol approve`')
    .action(async (options: OpenOptions) => {
      const { state } = await openSite(options);
      const station = options.station === undefined ? undefined : getStation(state, options.station).name;
      const { openUntil } = openEnrolment(state, {
        milliseconds: options.for,
        by: operatorName(),
        ...(station === undefined ? {} : { station }),
        ...(station === undefined && options.approveAll !== true ? { approved: [] } : {}),
      });
      const until = formatTime(openUntil);
      if (station !== undefined)
        return console.log(`Station ${station} may boot to be enrolled until ${until}.`);
      if (options.approveAll === true)
        return console.log(`Unknown machines may boot to be enrolled until ${until}.`);
      say(`Unknown machines may boot to be enrolled until ${until}, each once it is approved.`);
      console.log('Next: press F12 there, then rekindle enrol approve (it shows who waits).');
    });

  withSite(command.command('approve'))
    .description('let a waiting machine boot to be enrolled; without one: show who waits')
    .argument('[mac...]', 'network cards as `enrol approve` or the machine shows them')
    .action(approve);

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
      say(
        window === undefined
          ? 'The enrolment window is closed.'
          : `The enrolment window is open until ${formatTime(window.openUntil)} for ${window.station ?? 'unknown machines'}, opened by ${window.openedBy}.`,
      );
      if (window !== undefined)
        for (const line of linesOf(window, waitingMachines(state, window))) console.log(line);
    });
  return command;
}

/** @throws RekindleError `usage`: no window is open, or it is no MAC address */
async function approve(texts: readonly string[], options: SiteOption): Promise<void> {
  const { state } = await openSite(options);
  const window = currentEnrolment(state);
  if (window === undefined) {
    throw new RekindleError('usage', 'The enrolment window is closed, so there is nothing to approve', {
      next: 'rekindle enrol open --for 15m',
    });
  }
  const cards = texts.map((text) => {
    const mac = parseMacAddress(text);
    if (mac === undefined)
      throw new RekindleError('usage', `${text} is no MAC address`, { next: 'Write 52:54:00:00:00:01.' });
    return mac;
  });
  for (const mac of cards) {
    approveMachine(state, mac);
    console.log(`${mac} may boot to be enrolled. If it has given up by now: F12 again.`);
  }
  if (cards.length > 0) return;
  const lines = linesOf(window, waitingMachines(state, window));
  for (const line of lines.length > 0 ? lines : ['Nobody waits for approval.']) console.log(line);
}

function linesOf({ approved }: EnrolmentWindow, waiting: readonly MacAddress[]): string[] {
  return [
    ...(approved ?? []).map((mac) => `  approved  ${mac}`),
    ...waiting.map((mac) => `  waits     ${mac}    rekindle enrol approve ${mac}`),
  ];
}
