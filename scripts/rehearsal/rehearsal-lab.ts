import { copyFile, mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { buildDemoStation, copyDemoStation, type DemoStation } from './build-demo-station.ts';
import { demoStationHardware } from './demo-station/hardware.ts';
import { diskBytes } from './demo-station/partition-layout.ts';
import { installDomainTools, layMembership } from './domain/demo-membership.ts';
import { putStationIntoDomain, type StationInDomain } from './domain/station-in-domain.ts';
import { type EmulatedMachine, type MachineStart, startMachine } from './emulated-machine.ts';
import { openLabFolder } from './lab-folder.ts';
import { createLabNetwork, type LabNetwork } from './lab-network.ts';
import { type LabSite, type LabSiteConfiguration, openLabSite } from './lab-site.ts';
import type {
  EmulatedDisk,
  FirmwareKind,
  InsertedMedium,
  MachineFirmware,
  MachineHardware,
} from './machine-hardware.ts';
import { withMounted } from './mounted-partition.ts';
import { openUefiFirmware } from './uefi-firmware.ts';

/** Everything a rehearsal stands on: the plant network, a served site, and the demo station's parts. */
export interface RehearsalLab extends AsyncDisposable {
  readonly firmware: FirmwareKind;
  readonly network: LabNetwork;
  readonly site: LabSite;
  readonly station: DemoStation;
  /** Healthy disk and firmware variables of the station; machines run on these copies. */
  readonly healthyDisk: string;
  readonly evidence: string;
  /** When it was asked for: the station's domain. */
  readonly domain?: StationInDomain;
  /** Hardware of the station with this disk file in it. */
  hardwareWith(disk: string): MachineHardware;
  /** The same with a new disk in the place of the old one: same class, another serial number and WWN. */
  hardwareWithNewDisk(disk: string): MachineHardware;
  /** A disk file of the station's disk size with nothing on it. */
  blankDisk(name: string, bytes?: number): Promise<string>;
  /** Forgets the firmware's variables, as a new mainboard battery or a firmware update does. */
  forgetFirmwareVariables(): Promise<void>;
  /** Switches a machine on; with `network` as with a finger on F12. It ends when it wants to start again. */
  switchOn(
    name: string,
    hardware: MachineHardware,
    bootFrom: 'network' | 'disk',
    /** Default: the lab's own. */
    firmware?: MachineFirmware,
  ): Promise<EmulatedMachine>;
  /** Switches a machine on that finds a medium before its disk. */
  switchOnWithMedium(
    name: string,
    hardware: MachineHardware,
    medium: InsertedMedium,
    /** Default: the lab's own. */
    firmware?: MachineFirmware,
  ): Promise<EmulatedMachine>;
}

export interface RehearsalLabRequest {
  readonly firmware: FirmwareKind;
  /** Kept between rehearsals: built things. */
  readonly stateDirectory: string;
  readonly evidence: string;
  readonly onProgress: (sentence: string) => void;
  /** Another `rekindle.yaml` than that of a lab in reservation mode. */
  readonly configuration?: LabSiteConfiguration;
  /** Starts a domain controller in the lab, and makes the healthy station a member of its domain. */
  readonly withDomain?: boolean;
}

export async function openRehearsalLab(request: RehearsalLabRequest): Promise<RehearsalLab> {
  const { firmware, stateDirectory, evidence, onProgress } = request;
  await mkdir(evidence, { recursive: true });

  const station = await buildDemoStation({ directory: stateDirectory, onProgress });
  await using stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(await openLabFolder(stateDirectory));
  const network = stack.use(await createLabNetwork());
  if (request.withDomain === true) onProgress('provisioning a Samba domain and joining the station');
  // Before the service: it finds its name server, which is the controller, when it starts.
  const domain =
    request.withDomain === true
      ? stack.use(await putStationIntoDomain(network, path.join(directory, 'domain'), station.hostname))
      : undefined;
  onProgress('making a site and starting its netboot service');
  const site = stack.use(
    await openLabSite({
      directory: path.join(directory, 'site'),
      network,
      evidence,
      ...(request.configuration === undefined ? {} : { configuration: request.configuration }),
    }),
  );
  const copy = await copyDemoStation(station, path.join(directory, 'healthy'));
  if (domain !== undefined) await makeMember(copy.disk, station, domain);
  const tap = await network.addTap();
  const variableStore = path.join(directory, 'uefi-variables.fd');
  await copyFile(copy.variableStore, variableStore);
  const machineFirmware = async (): Promise<MachineFirmware> =>
    firmware === 'bios' ? { kind: 'bios' } : openUefiFirmware(variableStore);

  const hardwareWith = (disk: string): MachineHardware => demoStationHardware({ disk, tap });
  const start = async (
    name: string,
    hardware: MachineHardware,
    how: Pick<MachineStart, 'bootFrom' | 'medium'> & Partial<Pick<MachineStart, 'firmware'>>,
  ): Promise<EmulatedMachine> =>
    startMachine({
      name,
      hardware,
      firmware: how.firmware ?? (await machineFirmware()),
      ...how,
      onReboot: 'stop',
      directory: evidence,
      namespace: network.namespace,
    });
  const held = stack.move();
  return {
    firmware,
    network,
    site,
    station,
    healthyDisk: copy.disk,
    evidence,
    ...(domain === undefined ? {} : { domain }),
    hardwareWith,
    hardwareWithNewDisk: (disk) => replaceDisk(hardwareWith(disk)),
    blankDisk: (name, bytes = diskBytes) => createSparseFile(path.join(directory, `${name}.raw`), bytes),
    forgetFirmwareVariables: () => rm(variableStore, { force: true }),
    switchOn: (name, hardware, bootFrom, special) =>
      start(name, hardware, { bootFrom, ...(special === undefined ? {} : { firmware: special }) }),
    switchOnWithMedium: (name, hardware, medium, special) =>
      start(name, hardware, {
        bootFrom: 'disk',
        medium,
        ...(special === undefined ? {} : { firmware: special }),
      }),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** The copy only: the built station serves rehearsals without a domain too. */
function makeMember(disk: string, { partitions }: DemoStation, { member }: StationInDomain): Promise<void> {
  const { firstByte, byteLength } = partitions.SYSTEM;
  return withMounted(disk, { startByte: firstByte, sizeBytes: byteLength }, async (root) => {
    await installDomainTools(root);
    await layMembership(root, member);
  });
}

function replaceDisk(hardware: MachineHardware): MachineHardware {
  const identity = { serial: 'LAB-D-0002', wwn: 0x3000_0000_0077_0002n };
  const disks = hardware.disks.map(
    (disk): EmulatedDisk => (disk.kind === 'sata' ? { ...disk, ...identity } : disk),
  );
  return { ...hardware, disks };
}

async function createSparseFile(file: string, bytes: number): Promise<string> {
  await using handle = await open(file, 'w');
  await handle.truncate(bytes);
  return file;
}
