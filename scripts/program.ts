import { Command } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { doctorCommand } from './commands/doctor.ts';
import { driverPackCommand } from './commands/driver-pack.ts';
import { enrolCommand } from './commands/enrol.ts';
import { hookCommand } from './commands/hook.ts';
import { imageCommand } from './commands/image.ts';
import { initCommand } from './commands/init.ts';
import { inspectCommand } from './commands/inspect.ts';
import { mediaCommand } from './commands/media.ts';
import { passportCommand } from './commands/passport.ts';
import { rehearseCommand } from './commands/rehearse.ts';
import { reportCommand } from './commands/report.ts';
import { restoreCommand } from './commands/restore.ts';
import { runtimeCommand } from './commands/runtime.ts';
import { serveCommand } from './commands/serve.ts';
import { stationCommand } from './commands/station.ts';
import { systemStateCommand } from './commands/system-state.ts';
import { userCommand } from './commands/user.ts';
import { columnsOf, fitTerminal } from './fit-terminal.ts';
import { type Example, formatExamples } from './format-examples.ts';
import { verbExamples } from './verb-examples.ts';

const examples: readonly Example[] = [
  ['rekindle init --interface eth1', 'beside an existing DHCP server'],
  'rekindle init --interface eth1 --mode reservation --stations 10.77.0.20-10.77.0.99',
  ['rekindle runtime build', 'kernel, runtime, universal driver pack'],
  ['rekindle serve', 'until Ctrl-C or SIGTERM'],
  'rekindle user add meier --role technician',
  ['rekindle enrol open --for 15m', 'then press F12 at the healthy station'],
  'rekindle station list',
  'rekindle station arm OS-SRV-1A --image OS-SRV-1A@latest --for 30m',
  'rekindle restore --store /mnt/usb/images --image OS-SRV-1A@latest --dry-run',
  'rekindle report verify report.json',
  'rekindle rehearse --demo',
];

const exitCodesInWords = `
Exit codes: 0 done, 1 unexpected, 2 usage or configuration, 3 finished with
failed hooks, 10 store unreachable, 11 no such image or station, 12 hardware
not identical, 13 target disk ambiguous or unfit, 14 verification failed,
130 interrupted.`;

/** The whole command line; what it refuses and what it shows as help comes back as CommanderError. */
export function program(): Command {
  const command = new Command('rekindle')
    .description('Brings a dead station back: netboot service, enrolment, restore, signed reports.')
    .version(packageJson.version, '--version', 'print the version')
    .addHelpText('after', formatExamples(examples))
    .addHelpText('after', exitCodesInWords)
    .showHelpAfterError('(rekindle --help shows the verbs)');
  for (const verb of [
    initCommand(),
    runtimeCommand(),
    serveCommand(),
    doctorCommand(),
    userCommand(),
    enrolCommand(),
    stationCommand(),
    passportCommand(),
    driverPackCommand(),
    imageCommand(),
    systemStateCommand(),
    restoreCommand(),
    inspectCommand(),
    mediaCommand(),
    hookCommand(),
    reportCommand(),
    rehearseCommand(),
  ]) {
    command.addCommand(verb);
  }
  fitErrors(command).exitOverride();
  for (const verb of command.commands) prepareVerb(verb, verb.name());
  return command;
}

/** Examples below the help of each verb; its errors come back to us. */
function prepareVerb(command: Command, name: string): void {
  fitErrors(command).exitOverride().showHelpAfterError(`(rekindle ${name} --help shows how)`);
  const lines = verbExamples[name];
  if (lines !== undefined) {
    command.addHelpText('after', formatExamples(lines));
  }
  for (const child of command.commands) prepareVerb(child, `${name} ${child.name()}`);
}

/** Commander fits its help to the terminal, not what it refuses: lists of choices are long. */
function fitErrors(command: Command): Command {
  return command.configureOutput({
    outputError: (text, write) => write(fitTerminal(text, columnsOf(process.stderr))),
  });
}
