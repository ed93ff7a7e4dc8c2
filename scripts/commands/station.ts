import { Command } from 'commander';
import { enrolStation } from '#pxe-server/stations/enrol-station.ts';
import { removeStation } from '#pxe-server/stations/station-registry.ts';
import { openSite, operatorName, type SiteOption, withSite } from '../site-option.ts';
import { readPassportFile } from './passport.ts';
import { armCommand, disarmCommand } from './station/arm.ts';
import { listCommand } from './station/list.ts';
import { parseAddress } from './station/parse-address.ts';
import { setCommand } from './station/set.ts';
import { showCommand } from './station/show.ts';

export function stationCommand(): Command {
  const command = new Command('station').description('the stations that may be recovered');
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  withSite(command.command('add'))
    .description('register a station from a passport file, without enrolment')
    .argument('<name>')
    .requiredOption('--passport <file>', 'passport.json')
    .option('--address <ip>', 'reservation mode: its address', parseAddress)
    .action(add);
  command.addCommand(setCommand());
  withSite(command.command('remove'))
    .description('forget a station; its images stay in the store')
    .argument('<name>')
    .action(async (name: string, options: SiteOption) => {
      const { state } = await openSite(options);
      removeStation(state, name);
      console.log(`Station ${name} is removed; its images stay in the store.`);
    });
  command.addCommand(armCommand());
  command.addCommand(disarmCommand());
  return command;
}

async function add(
  name: string,
  options: SiteOption & { readonly passport: string; readonly address?: string },
): Promise<void> {
  const site = await openSite(options);
  const passport = await readPassportFile(options.passport);
  const address = options.address === undefined ? {} : { address: options.address };
  const station = await enrolStation(site, { name, passport, by: operatorName(), ...address });
  console.log(
    `Station ${station.name} is registered${station.address === undefined ? '' : ` at ${station.address}`}.`,
  );
}
