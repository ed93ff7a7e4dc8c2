import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTool } from '#base/run-tool.ts';
import { openDisk } from '#images/block-device/disk-handle.ts';
import { parsePartitionTable } from '#images/format/partition-table/partition-table.ts';
import { corruptSystemPartition } from '#scripts/rehearsal/disaster.ts';
import { firstDifference, hashRange } from '#scripts/rehearsal/disk-proof.ts';
import type { MachineHardware } from '#scripts/rehearsal/machine-hardware.ts';
import { withMounted } from '#scripts/rehearsal/mounted-partition.ts';
import type { CapturedImage } from '#scripts/rehearsal/recovery-rehearsal.ts';
import type { RehearsalLab } from '#scripts/rehearsal/rehearsal-lab.ts';
import { bootOnceFrom } from '#scripts/rehearsal/uefi-boot-next.ts';
import { openUefiFirmware } from '#scripts/rehearsal/uefi-firmware.ts';
import {
  chooseRecovery,
  everyCell,
  firmwareKind,
  newSerial,
  openMediumLab,
  registeredSerial,
  restoreFromMedium,
  withoutCable,
} from '#test/support/medium-lab.ts';

/**
 * The recovery in a partition of the station's own disk (`media install`), with no cable plugged in, and the ways into
 * it that the command prints. Not in CI: REKINDLE_MEDIA=all for a BIOS machine, with REKINDLE_FIRMWARE=uefi for UEFI.
 */

const isUefi = firmwareKind === 'uefi';
let lab: RehearsalLab;
let image: CapturedImage;

beforeAll(async () => {
  if (everyCell) ({ lab, image } = await openMediumLab());
});
afterAll(() => lab?.[Symbol.asyncDispose]());

const ownHardware = (disk: string, serial: string): MachineHardware =>
  withoutCable((serial === newSerial ? lab.hardwareWithNewDisk : lab.hardwareWith)(disk));

/** The station's recovery, its image in it, in the place of PROJECTS: the only partition with room for that. */
async function installOnOwnDisk(name: string) {
  const station = lab.station.hostname;
  const disk = path.join(lab.evidence, `${name}.raw`);
  await copyFile(lab.healthyDisk, disk, constants.COPYFILE_FICLONE);
  const { PROJECTS } = lab.station.partitions;
  await runTool('making a partition for the recovery', sgdisk, ['--change-name=4:REKINDLE', disk]);
  const place = `${disk}@@${PROJECTS.firstByte}`;
  const sectors = ['-T', String(PROJECTS.byteLength / 512), '-h', '64', '-s', '32'];
  await runTool('making its file system', mformat, ['-i', place, '-F', ...sectors, '::']);
  const serial = await registeredSerial(lab);
  const where = ['--disk', `${disk},${serial}`, '--partition', '4'];
  const words = ['media', 'install', station, ...where, '--with-image', `${station}@latest`];
  const printed = await lab.site.rekindle(...words);
  process.stdout.write(`${printed}\n`);
  return { disk, place, where, serial, printed };
}

/** The line that `media install` prints for this way into the recovery. */
function lineFor(printed: string, what: RegExp): string {
  const found = what.exec(printed)?.[0];
  if (found === undefined) throw new Error(`it prints no such line: ${printed}`);
  return found;
}

// The firmware of a BIOS machine starts no partition; there a GRUB menu has to.
test.runIf(everyCell && isUefi)(
  'the station starts its own recovery with no cable plugged in, and is restored around it',
  async () => {
    const { disk, place, where, serial } = await installOnOwnDisk('own-disk');
    const { ESP, SYSTEM } = lab.station.partitions;
    const station = lab.station.hostname;
    await corruptSystemPartition(disk, rangeOf(SYSTEM));
    const tables = { startByte: 0, sizeBytes: ESP.firstByte };
    const before = await hashRange(disk, tables);

    const variables = path.join(lab.evidence, 'own-disk-variables.fd');
    const firmware = await openUefiFirmware(variables, 'secureBoot');
    const opened = openDisk(disk);
    const partition = parsePartitionTable(opened).partitions.find(({ number }) => number === 4);
    opened.close();
    if (partition === undefined) throw new RangeError('the disk has a fourth partition');
    const loader = '\\EFI\\rekindle\\shimx64.efi';
    await bootOnceFrom(variables, { description: 'Rekindle recovery', partition, loader });
    {
      await using machine = await lab.switchOn('own-disk', ownHardware(disk, serial), 'disk', firmware);
      await restoreFromMedium(lab, machine);
      await machine.console.waitFor(/The report is\s+rekindle\/reports\/\S+/, { timeoutSeconds: 60 });
      await machine.waitForEnd({ timeoutSeconds: 60 });
      const seen = machine.console.text().replaceAll(/\s+/g, ' ');
      expect(seen).toMatch(/partition 4 stay as they are/);
      expect(seen).not.toMatch(/Bringing up the network card|Technician: /);
    }
    expect(await firstDifference(disk, image.reference, [rangeOf(ESP), rangeOf(SYSTEM)])).toBeUndefined();
    expect(await hashRange(disk, tables)).toBe(before);
    // Whole, signed, and with the report of this restore in it.
    expect(await lab.site.rekindle('media', 'install', station, ...where, '--remove')).toMatch(/was removed/);
    const reports = path.join(lab.evidence, 'own-reports');
    await mkdir(reports);
    const words = ['-s', '-n', '-i', place, '::/rekindle/reports', reports];
    await runTool('reading the reports', { command: 'mcopy', debianPackage: 'mtools' }, words);
    expect(await readdir(path.join(reports, 'reports'))).toHaveLength(1);
  },
);

test.runIf(everyCell && !isUefi)(
  "the GRUB entry that is printed starts the own disk's recovery by BIOS, and the broken system comes back",
  async () => {
    const { disk, serial, printed } = await installOnOwnDisk('grub-entry');
    const { ESP, SYSTEM } = lab.station.partitions;
    const entry = lineFor(printed, /menuentry "Rekindle recovery" .*/);
    await withMounted(disk, rangeOf(SYSTEM), async (root) => {
      const chosen = `set default="Rekindle recovery"\nset timeout=2\n${entry}\n`;
      await writeFile(path.join(root, 'boot/grub/custom.cfg'), chosen);
      // GRUB still finds its files; nothing else starts.
      await rm(path.join(root, 'usr/lib/systemd'), { recursive: true });
    });
    {
      await using machine = await lab.switchOn('grub-entry', ownHardware(disk, serial), 'disk');
      await restoreFromMedium(lab, machine);
      await machine.console.waitFor(/The report is\s+rekindle\/reports\/\S+/, { timeoutSeconds: 60 });
      await machine.waitForEnd({ timeoutSeconds: 60 });
    }
    expect(await firstDifference(disk, image.reference, [rangeOf(ESP), rangeOf(SYSTEM)])).toBeUndefined();
    const found = JSON.parse(await lab.site.rekindle('media', 'check', disk, '--json'));
    expect(found).toMatchObject({ installed: true, damaged: [], carried: { problems: [] } });
  },
);

test.runIf(everyCell && isUefi)(
  'the efibootmgr lines that are printed make an entry, behind those that were there, which starts the recovery',
  async () => {
    const { disk, serial, printed } = await installOnOwnDisk('boot-entry');
    const create = lineFor(printed, /efibootmgr --create .*/).replace('DISK', '/dev/sda');
    const script = [
      '#!/bin/sh',
      'mountpoint -q /sys/firmware/efi/efivars || mount -t efivarfs efivarfs /sys/firmware/efi/efivars',
      `before=$(efibootmgr | sed -n 's/^BootOrder: //p')`,
      `${create} >/dev/ttyS0 2>&1`,
      `number=$(efibootmgr | sed -n 's/^Boot\\(....\\)\\* Rekindle recovery.*/\\1/p')`,
      'efibootmgr --bootorder "$before,$number" >/dev/ttyS0 2>&1',
      'efibootmgr --bootnext "$number" >/dev/ttyS0 2>&1',
      'echo "ENTRY-MADE before=$before number=$number" >/dev/ttyS0',
      'efibootmgr --verbose >/dev/ttyS0 2>&1',
      'systemctl poweroff',
    ];
    const unit = '[Service]\nType=oneshot\nExecStart=/usr/local/sbin/make-entry\n';
    await withMounted(disk, rangeOf(lab.station.partitions.SYSTEM), async (root) => {
      await writeFile(path.join(root, 'usr/local/sbin/make-entry'), `${script.join('\n')}\n`, {
        mode: 0o755,
      });
      await writeFile(path.join(root, 'etc/systemd/system/make-entry.service'), unit);
      const wants = path.join(root, 'etc/systemd/system/multi-user.target.wants');
      await mkdir(wants, { recursive: true });
      await symlink('/etc/systemd/system/make-entry.service', path.join(wants, 'make-entry.service'));
    });
    const hardware = ownHardware(disk, serial);
    {
      await using machine = await lab.switchOn('make-entry', hardware, 'disk');
      const made = /ENTRY-MADE before=(\S*) number=([0-9A-F]{4})\s/;
      const [, before = '', number = ''] = await machine.console.waitFor(made, { timeoutSeconds: 240 });
      await machine.waitForEnd({ timeoutSeconds: 90 });
      expect(before).not.toBe('');
      expect(machine.console.text()).toMatch(new RegExp(`BootOrder: ${before},${number}\\s`));
    }
    await using machine = await lab.switchOn('boot-entry', hardware, 'disk');
    await chooseRecovery(machine, 'm');
    await machine.console.waitFor(/This medium is for OS-SRV-1A/, { timeoutSeconds: 120 });
  },
);

const sgdisk = { command: 'sgdisk', debianPackage: 'gdisk' };
const mformat = { command: 'mformat', debianPackage: 'mtools' };
const rangeOf = ({ firstByte, byteLength }: { firstByte: number; byteLength: number }) => ({
  startByte: firstByte,
  sizeBytes: byteLength,
});
