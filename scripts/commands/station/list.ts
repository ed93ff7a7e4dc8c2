import { Command } from 'commander';
import { listStations } from '#pxe-server/stations/station-registry.ts';
import { say } from '../../fit-terminal.ts';
import { openSite, type SiteOption, withSite } from '../../site-option.ts';
import { formatStationRow } from '../../station-lines.ts';
import { rehearsalOf, summaryOf } from './station-summary.ts';

export function listCommand(): Command {
  return withSite(new Command('list')).description('all stations').option('--json', 'as JSON').action(list);
}

async function list(options: SiteOption & { readonly json?: boolean }): Promise<void> {
  const site = await openSite(options);
  const stations = await Promise.all(
    listStations(site.state).map(async (station) => ({
      ...(await summaryOf(site, station)),
      rehearsal: await rehearsalOf(site, station.name),
    })),
  );
  if (options.json === true) return console.log(JSON.stringify(stations));
  if (stations.length === 0)
    return console.log('There is no station yet. Next: rekindle enrol open --for 15m');
  for (const each of stations) for (const line of formatStationRow(each)) say(line, 21);
}
