import { Command, InvalidArgumentError, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import type { StationNetwork } from '#contract/station-network.ts';
import { loaderSchema, stationRoleSchema } from '#pxe-server/stations/station.ts';
import {
  getStation,
  setAddress,
  setComputerName,
  setLoader,
  setNetwork,
  setRole,
  setTerminalBus,
} from '#pxe-server/stations/station-registry.ts';
import { openSite, type SiteOption, withSite } from '../../site-option.ts';
import { parseAddress } from './parse-address.ts';

export function setCommand(): Command {
  return withSite(new Command('set'))
    .description('change how a station boots, and what its next image says it is')
    .argument('<name>')
    .option('--address <ip>', 'its address: reservation mode, and Secure Boot in proxy mode', parseAddress)
    .addOption(
      new Option(
        '--loader <loader>',
        'what its firmware loads; `none`: as the site and its passport say',
      ).choices([...loaderSchema.options, 'none']),
    )
    .addOption(new Option('--role <role>', 'what the station is').choices(stationRoleSchema.options))
    .addOption(
      new Option('--terminal-bus <on|off>', "whether the plant's terminal bus is its way to us").choices([
        'on',
        'off',
      ]),
    )
    .option('--computer-name <name>', 'name of its system, where that is not the name of the station')
    .option('--vlan <id>', 'its switch port is tagged with this VLAN; `none`: untagged', parseNumberOrNone)
    .option('--fixed-address <ip/prefix>', 'address of its runtime instead of DHCP; `none`: DHCP')
    .option('--router <ip>', 'default route with a fixed address; `none`: no route')
    .option('--mtu <bytes>', 'largest IP packet, 9000 for jumbo frames; `none`: 1500', parseNumberOrNone)
    .option('--wait <seconds>', 'patience with its link and switch port; `none`: 60', parseNumberOrNone)
    .action(set);
}

async function set(
  name: string,
  options: SiteOption & {
    readonly address?: string;
    readonly loader?: string;
    readonly role?: string;
    readonly computerName?: string;
    readonly terminalBus?: string;
  } & NetworkOptions,
): Promise<void> {
  const { state } = await openSite(options);
  const { name: station, network } = getStation(state, name);
  const { site: _, ...settings } = options;
  if (Object.keys(settings).length === 0) {
    throw new RekindleError('usage', `What to change of station ${station} was not said`, {
      next: '`rekindle station set --help` shows what can be set.',
    });
  }
  setNetwork(state, station, changeNetwork(network, options));
  if (options.address !== undefined) setAddress(state, station, options.address);
  if (options.loader !== undefined) {
    setLoader(state, station, options.loader === 'none' ? undefined : loaderSchema.parse(options.loader));
  }
  if (options.role !== undefined) setRole(state, station, stationRoleSchema.parse(options.role));
  if (options.terminalBus !== undefined) setTerminalBus(state, station, options.terminalBus === 'on');
  if (options.computerName !== undefined) setComputerName(state, station, options.computerName);
  console.log(`Station ${station} is changed.`);
}

interface NetworkOptions {
  readonly vlan?: number | 'none';
  readonly fixedAddress?: string;
  readonly router?: string;
  readonly mtu?: number | 'none';
  readonly wait?: number | 'none';
}

/** Settings that are named replace those that were there; `none` takes one away. */
function changeNetwork(network: StationNetwork, options: NetworkOptions): StationNetwork {
  const { vlan, fixedAddress: address, router, mtu, wait: waitSeconds } = options;
  const named = Object.entries({ vlan, address, router, mtu, waitSeconds }).filter(
    ([, value]) => value !== undefined,
  );
  const changed = { ...network, ...Object.fromEntries(named) };
  return Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== 'none'));
}

function parseNumberOrNone(text: string): number | 'none' {
  if (text === 'none') return text;
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Write a number, or none.');
  return Number(text);
}
