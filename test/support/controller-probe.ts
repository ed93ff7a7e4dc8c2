/**
 * Stand-in for the runtime's program: a domain controller of Windows' shape is put back onto the machine's own disk,
 * with its offline hook and the inspection; once with a system state from the store, once without. Bundled into a real runtime by windows-station.test.ts, run nowhere else.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { errorChain } from '#base/errors.ts';
import { loadDriverPack } from '#runtime/drivers/load-driver-pack.ts';
import { waitForInit } from '#runtime/init/wait-for-init.ts';
import { linuxMachine } from '#runtime/workflow-linux-machine.ts';
import { controllerName, storedBackup } from './controller-station.ts';
import { type ControllerRecovery, recoverController } from './recover-controller.ts';

const say = (what: string, value: unknown): void =>
  void process.stdout.write(`probe ${what} ${JSON.stringify(value)}\n`);
const sh = (script: string): string =>
  execFileSync('busybox', ['sh', '-ec', script], { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

async function scenario(): Promise<void> {
  await waitForInit();
  await loadDriverPack();
  const { disks } = await linuxMachine.takeInventory();
  const deviceOf = (serial: string): string =>
    disks.find(({ passportDisk }) => passportDisk.serial === serial)?.devicePath ?? serial;
  sh(`mkdir -p /mnt/store; mount -t ext4 ${deviceOf('STORE-0001')} /mnt/store`);
  const [image = ''] = readdirSync(`/mnt/store/images/${controllerName}`);
  const [state = ''] = readdirSync(`/mnt/store/system-states/${controllerName}`);
  const recover = async (what: string, more: Partial<ControllerRecovery>): Promise<void> => {
    const { findings, steps, error } = await recoverController({
      device: deviceOf('DC-DISK-0001'),
      store: '/mnt/store',
      image,
      publicKey: '/mnt/store/site.pub',
      machine: { ...linuxMachine, takeInventory: linuxMachine.takeInventory, bootEntries: undefined },
      ...more,
    });
    const { hooks, disks: restored } = findings;
    say(what, { steps, hooks, disks: restored, why: error && errorChain(error) });
  };
  // Its data volume, with the copy on it, outlives the next recovery.
  await recover('copied', { systemState: storedBackup, chosen: state.replace('_', '@') });
  await recover('recovered', {});
  sh('umount /mnt/store; sync');
  say('end', { loops: sh('losetup -a').trim(), mounts: sh('grep -c rekindle- /proc/mounts || true').trim() });
}

scenario()
  .catch((error: unknown) => say('broken', errorChain(error)))
  .finally(() => {
    writeFileSync('/run/rekindle/next', 'poweroff');
    process.exit(0);
  });
