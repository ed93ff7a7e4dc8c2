import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTool } from '#base/run-tool.ts';
import {
  buildDemoStation,
  copyDemoStation,
  type DemoStation,
  type DemoStationCopy,
  logOnMarker,
} from '#scripts/rehearsal/build-demo-station.ts';
import { demoStationHardware } from '#scripts/rehearsal/demo-station/hardware.ts';
import { type EmulatedMachine, startMachine } from '#scripts/rehearsal/emulated-machine.ts';
import { createLabNetwork, type LabNetwork } from '#scripts/rehearsal/lab-network.ts';
import type { FirmwareKind, MachineFirmware } from '#scripts/rehearsal/machine-hardware.ts';
import { openUefiFirmware } from '#scripts/rehearsal/uefi-firmware.ts';

const stateDirectory = path.join(import.meta.dirname, '../../.rekindle');
const bootSeconds = 180;
const shutdownSeconds = 90;

let station: DemoStation;
let directory: string;
let copy: DemoStationCopy;

beforeAll(async () => {
  station = await buildDemoStation({ directory: stateDirectory });
  directory = await mkdtemp(path.join(tmpdir(), 'rekindle-demo-'));
  copy = await copyDemoStation(station, directory);
});
afterAll(() => rm(directory, { recursive: true }));

const firmwareOf = async (kind: FirmwareKind, variableStore: string): Promise<MachineFirmware> =>
  kind === 'bios' ? { kind } : openUefiFirmware(variableStore);

/** Waits for the log-on marker; returns the boot counter in it. */
async function logOnState(machine: EmulatedMachine): Promise<number> {
  const marker = await machine.console.waitFor(logOnMarker(station.hostname), {
    timeoutSeconds: bootSeconds,
  });
  return Number(marker[1]);
}

test('the station is the known one: a second build returns the same without building', async () => {
  const sentences: string[] = [];
  const again = await buildDemoStation({
    directory: stateDirectory,
    onProgress: (sentence) => sentences.push(sentence),
  });
  expect(again).toEqual(station);
  expect(sentences).toEqual([]);
});

test.each<FirmwareKind>(['bios', 'uefi'])(
  '%s: starts from its disk, counts the boot, obeys its power button',
  async (kind) => {
    const before = await readJournal(copy.disk);
    await using machine = await startMachine({
      name: `log-on-${kind}`,
      hardware: demoStationHardware({ disk: copy.disk }),
      firmware: await firmwareOf(kind, copy.variableStore),
      bootFrom: 'disk',
      onReboot: 'stop',
      directory,
    });
    const boots = await logOnState(machine);
    await machine.screenshot(path.join(directory, `log-on-${kind}.png`));
    await machine.powerButton();
    expect(await machine.waitForEnd({ timeoutSeconds: shutdownSeconds })).toEqual({
      status: 0,
      signal: null,
    });

    const journal = await readJournal(copy.disk);
    expect(journal.slice(0, -1)).toEqual(before);
    expect(journal.at(-1)).toMatch(new RegExp(`^boot ${boots} of ${station.hostname} at 20`));
    await checkSystemIsClean(copy.disk);
  },
);

test.each<FirmwareKind>(['bios', 'uefi'])(
  '%s: F12 counts for one boot, the next one comes from the disk',
  async (kind) => {
    await using network = await createLabNetwork();
    await using _bootServer = await startForeignBootServer(
      network,
      '#!ipxe\necho NETWORK-BOOT-REACHED\nsleep 1\nreboot\n',
    );
    const tap = await network.addTap();
    await using machine = await startMachine({
      name: `f12-${kind}`,
      hardware: demoStationHardware({ disk: copy.disk, tap }),
      firmware: await firmwareOf(kind, copy.variableStore),
      bootFrom: 'network',
      directory,
      namespace: network.namespace,
    });
    await machine.console.waitFor(/NETWORK-BOOT-REACHED/, { timeoutSeconds: bootSeconds });
    await logOnState(machine);
    await machine.powerButton();
    await machine.waitForEnd({ timeoutSeconds: shutdownSeconds });
  },
);

/** dnsmasq as a boot server that is not ours: the lab is proven without the code it will test. */
async function startForeignBootServer(network: LabNetwork, script: string): Promise<AsyncDisposable> {
  const files = await mkdtemp(path.join(directory, 'tftp-'));
  await writeFile(path.join(files, 'script.ipxe'), script);
  await copyFile('/usr/lib/ipxe/snponly.efi', path.join(files, 'snponly.efi'));
  const [program, ...rest] = network.inside([
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--no-ping', '--user=root'],
    ...[`--interface=${network.interfaceName}`, '--bind-interfaces', '--dhcp-authoritative'],
    ...['--dhcp-range=10.77.0.100,10.77.0.120', `--dhcp-leasefile=${files}.leases`],
    ...['--enable-tftp', `--tftp-root=${files}`, '--dhcp-userclass=set:ipxe,iPXE'],
    ...['--dhcp-boot=tag:ipxe,script.ipxe', '--dhcp-boot=tag:!ipxe,snponly.efi'],
  ]);
  const server = spawn(program, rest, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve, reject) => {
    server.once('exit', () => resolve());
    server.once('error', reject);
  });
  return {
    [Symbol.asyncDispose]: () => {
      server.kill();
      return ended;
    },
  };
}

/** A partition of the disk as a file of its own, for tools that know no offset. */
async function readPartition(disk: string, name: 'SYSTEM' | 'PROJECTS'): Promise<string> {
  const { firstByte, byteLength } = station.partitions[name];
  const file = path.join(directory, `${name}.partition`);
  await runTool(`reading ${name}`, { command: 'dd', debianPackage: 'coreutils' }, [
    ...[`if=${disk}`, `of=${file}`, 'bs=1M', 'iflag=skip_bytes,count_bytes', 'conv=sparse', 'status=none'],
    ...[`skip=${firstByte}`, `count=${byteLength}`],
  ]);
  return file;
}

/** Lines of journal.txt on PROJECTS: none before the first boot. */
async function readJournal(disk: string): Promise<string[]> {
  const volume = await readPartition(disk, 'PROJECTS');
  const ntfs = (command: string, ...args: string[]): Promise<string> =>
    runTool('reading PROJECTS', { command, debianPackage: 'ntfs-3g' }, args);
  const names = await ntfs('ntfsls', volume);
  if (!names.split('\n').includes('journal.txt')) return [];
  return (await ntfs('ntfscat', volume, 'journal.txt')).trimEnd().split('\n');
}

/** e2fsck in read-only mode; it ends with an error when there is anything to repair. */
async function checkSystemIsClean(disk: string): Promise<void> {
  const volume = await readPartition(disk, 'SYSTEM');
  await runTool('checking the system partition', { command: 'e2fsck', debianPackage: 'e2fsprogs' }, [
    ...['-f', '-n', volume],
  ]);
}
