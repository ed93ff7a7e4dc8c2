/**
 * Stand-in for the runtime's program: a domain controller of Windows' shape is put back onto the machine's own disk,
 * with its offline hook and the inspection. Bundled into a real runtime by windows-station.test.ts, run nowhere else.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { errorChain } from '#base/errors.ts';
import { loadDriverPack } from '#runtime/drivers/load-driver-pack.ts';
import { linuxMachine } from '#runtime/workflow-linux-machine.ts';
import { controllerName } from './controller-station.ts';
import { recoverController } from './recover-controller.ts';

const say = (what: string, value: unknown): void =>
  void process.stdout.write(`probe ${what} ${JSON.stringify(value)}\n`);
const sh = (script: string): string =>
  execFileSync('busybox', ['sh', '-ec', script], { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

async function scenario(): Promise<void> {
  await loadDriverPack();
  const { disks } = await linuxMachine.takeInventory();
  const deviceOf = (serial: string): string =>
    disks.find(({ passportDisk }) => passportDisk.serial === serial)?.devicePath ?? serial;
  sh(`mkdir -p /mnt/store; mount -t ext4 ${deviceOf('STORE-0001')} /mnt/store`);
  const [image = ''] = readdirSync(`/mnt/store/images/${controllerName}`);
  const { findings, steps, error } = await recoverController({
    device: deviceOf('DC-DISK-0001'),
    store: '/mnt/store',
    image,
    publicKey: '/mnt/store/site.pub',
    machine: { ...linuxMachine, takeInventory: linuxMachine.takeInventory, bootEntries: undefined },
  });
  say('recovered', { steps, hooks: findings.hooks, disks: findings.disks, why: error && errorChain(error) });
  sh('umount /mnt/store; sync');
  say('end', { loops: sh('losetup -a').trim(), mounts: sh('grep -c rekindle- /proc/mounts || true').trim() });
}

scenario()
  .catch((error: unknown) => say('broken', errorChain(error)))
  .finally(() => {
    writeFileSync('/run/rekindle/next', 'poweroff');
    process.exit(0);
  });
