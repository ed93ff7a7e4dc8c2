import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import {
  type BootCellName,
  type FirmwareAndLoader,
  firmwareAndLoaders,
  type LabNetworkMode,
} from './boot-matrix.ts';
import { demoStationHardware } from './demo-station/hardware.ts';
import { type EmulatedMachine, startMachine } from './emulated-machine.ts';
import { relayedServers, startForeignDhcp } from './foreign-dhcp.ts';
import { openLabFolder } from './lab-folder.ts';
import { createLabNetwork, type LabNetwork, relayedNetwork } from './lab-network.ts';
import { type LabSite, openLabSite } from './lab-site.ts';
import type { MachineFirmware, MachineHardware } from './machine-hardware.ts';
import { bootFirst } from './uefi-boot-order.ts';
import { openUefiFirmware } from './uefi-firmware.ts';

/** A site with one known station whose disk is blank, for rehearsals of the boot alone. */
export interface BootLab extends AsyncDisposable {
  readonly network: LabNetwork;
  readonly site: LabSite;
  readonly station: string;
  readonly mac: string;
  /** Switches the station on, as with a finger on F12. */
  switchOn(cell: BootCellName, options?: SwitchOnOptions): Promise<EmulatedMachine>;
  /** What the service says of the newest boot of the station, a sentence a line. */
  lastBoot(): Promise<string[]>;
}

export interface SwitchOnOptions {
  readonly name?: string;
  /** Default: a blank disk. */
  readonly disk?: string;
  readonly firmware?: MachineFirmware;
  readonly onReboot?: 'restart' | 'stop';
  /** Nobody has set the loader of the station: not even the one of the cell. */
  readonly loaderUnset?: boolean;
}

export interface BootLabRequest {
  readonly mode: LabNetworkMode;
  /** Kept between rehearsals: built things. */
  readonly stateDirectory: string;
  readonly evidence: string;
  /** YAML of the key `boot`; absent: nobody has to press a key in the menu. */
  readonly boot?: string;
  readonly asShipped?: boolean;
  /** Whether the network has an IPv6 router; default true. */
  readonly ipv6Router?: boolean;
}

export const bootStation = 'BOOT-1';
const mac = '52:54:00:77:00:01';

/** The station's address from us: in proxy mode one that the other server does not give. */
const addresses: Readonly<Record<LabNetworkMode, string>> = {
  reservation: '10.77.0.100',
  proxy: '10.77.0.100',
  relay: '10.88.0.100',
  'proxy-relay': '10.88.0.100',
};

export async function openBootLab(request: BootLabRequest): Promise<BootLab> {
  const { mode, stateDirectory, evidence } = request;
  await mkdir(evidence, { recursive: true });
  const isProxy = mode === 'proxy' || mode === 'proxy-relay';
  const isRelayed = mode === 'relay' || mode === 'proxy-relay';

  await using stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(await openLabFolder(stateDirectory));
  const network = stack.use(await createLabNetwork({ ipv6Router: request.ipv6Router ?? true }));
  if (isProxy) stack.use(await startForeignDhcp(network, directory, { relayed: isRelayed }));
  const segment = isRelayed
    ? await network.addRelayedSegment(relayedServers(isProxy ? 'proxy' : 'reservation'))
    : network;
  const tap = await segment.addTap();
  const site = stack.use(
    await openLabSite({
      directory: path.join(directory, 'site'),
      network,
      evidence,
      asShipped: request.asShipped ?? false,
      configuration: (address, interfaceName) =>
        [
          `interface: ${interfaceName}`,
          `address: ${address}`,
          'dhcp:',
          `  mode: ${isProxy ? 'proxy' : 'reservation'}`,
          `  networks: [{ network: ${relayedNetwork}, router: 10.88.0.1 }]`,
          ...(request.boot === undefined ? [] : [`boot: ${request.boot}`]),
          '',
        ].join('\n'),
    }),
  );
  const disk = path.join(directory, 'blank.raw');
  await writeFile(disk, '');
  await truncate(disk, 64 * 2 ** 20);
  const hardware = demoStationHardware({ disk, tap });
  const passportFile = path.join(directory, 'passport.json');
  await writeFile(passportFile, JSON.stringify(passportOf(hardware)));
  await site.rekindle(
    ...['station', 'add', bootStation, '--passport', passportFile, '--address', addresses[mode]],
  );

  /** The firmware makes its boot options when it sees its cards; then HTTP is chosen as in its setup menu. */
  const preferHttpBoot = async (variables: string): Promise<void> => {
    await rm(variables, { force: true });
    await using first = await startMachine({
      name: 'first-start',
      hardware,
      firmware: await openUefiFirmware(variables),
      bootFrom: 'network',
      onReboot: 'stop',
      directory: evidence,
      namespace: segment.namespace,
    });
    await first.console.waitFor(/Start PXE over IPv4/, { timeoutSeconds: 600 });
    await first.powerOff();
    await bootFirst(variables, 'UEFI HTTPv4');
  };

  const held = stack.move();
  return {
    network,
    site,
    station: bootStation,
    mac,
    switchOn: async (cell, options = {}) => {
      const row: FirmwareAndLoader = firmwareAndLoaders[cell];
      const ofCell = row.loader ?? (row.firmware === 'uefi-secure-boot' ? 'signed-grub' : 'ipxe');
      const loader = options.loaderUnset === true ? 'none' : ofCell;
      await site.rekindle('station', 'set', bootStation, '--loader', loader);
      const name = options.name ?? cell;
      const variables = path.join(directory, `${name}-variables.fd`);
      if (row.firmware === 'uefi-http') await preferHttpBoot(variables);
      return startMachine({
        name,
        hardware: options.disk === undefined ? hardware : demoStationHardware({ disk: options.disk, tap }),
        firmware: options.firmware ?? (await firmwareOf(row, variables)),
        bootFrom: row.chained === true ? 'disk' : 'network',
        onReboot: options.onReboot ?? 'stop',
        directory: evidence,
        namespace: segment.namespace,
        ...(row.chained === true
          ? { directKernel: await chainLoader(directory, network.serverAddress) }
          : {}),
      });
    },
    lastBoot: async () => {
      const { boots } = JSON.parse(
        await site.rekindle('station', 'show', bootStation, '--boots', '--json'),
      ) as {
        boots: { sentence: string }[][];
      };
      return (boots.at(-1) ?? []).map(({ sentence }) => sentence);
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function firmwareOf({ firmware }: FirmwareAndLoader, variables: string): Promise<MachineFirmware> {
  if (firmware === 'bios') return { kind: 'bios' };
  if (firmware !== 'uefi-http') await rm(variables, { force: true });
  return openUefiFirmware(variables, firmware === 'uefi-secure-boot' ? 'secureBoot' : 'plain');
}

/** iPXE as a kernel, which does what a ROM does that loads undionly.kpxe. */
async function chainLoader(directory: string, server: string) {
  const script = path.join(directory, 'chain.ipxe');
  await writeFile(script, `#!ipxe\ndhcp\nchain tftp://${server}/undionly.kpxe\n`);
  return { kernel: '/usr/lib/ipxe/ipxe.lkrn', initrd: script, commandLine: '' };
}

/** Enough of a passport to be recognised by its card and to get a driver pack. */
function passportOf(hardware: MachineHardware): HardwarePassport {
  const { smbios } = hardware;
  return {
    formatVersion: 1,
    takenAt: new Date().toISOString(),
    standIn: true,
    system: {
      vendor: smbios.vendor,
      product: smbios.product,
      version: '',
      serial: smbios.serial,
      uuid: smbios.uuid,
    },
    board: {
      vendor: smbios.boardVendor,
      product: smbios.boardProduct,
      version: '',
      serial: smbios.boardSerial,
    },
    cpu: { model: 'QEMU', threads: hardware.cpus },
    memoryBytes: hardware.memoryMiB * 2 ** 20,
    firmware: { kind: 'bios', version: '', secureBoot: 'not-supported' },
    networkCards: [{ slot: '0000:00:03.0', id: '1af4:1000', subsystem: '1af4:0001', mac }],
    storageControllers: [
      { slot: '0000:00:1f.2', id: '8086:2922', subsystem: '1af4:1100', pciClass: '010601', mode: 'ahci' },
    ],
    disks: [],
    modaliases: [],
  };
}
