/**
 * Stand-in for the runtime's program: loads the pack, takes the inventory, says both on the console in one
 * line each, and switches the machine off. Bundled into a real runtime by the tests, run nowhere else.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { formatPackLoad, loadDriverPack } from '#runtime/drivers/load-driver-pack.ts';
import { waitForInit } from '#runtime/init/wait-for-init.ts';
import { takeInventory } from '#runtime/inventory/inventory.ts';
import { captureSysfs } from './captured-sysfs.ts';

function say(what: string, value: unknown): void {
  process.stdout.write(`probe ${what} ${JSON.stringify(value)}\n`);
}

async function main(): Promise<void> {
  const uptime = () => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  say('started', { uptime: uptime(), rss: process.memoryUsage.rss() });
  if (readFileSync('/proc/cmdline', 'utf8').includes('probe=crash') && !existsSync('/run/rekindle/crashed')) {
    writeFileSync('/run/rekindle/crashed', '');
    // Left behind by the crash: init has to reap it.
    spawn('busybox', ['sleep', '1'], { detached: true, stdio: 'ignore' });
    process.exit(7);
  }
  await waitForInit();
  const load = await loadDriverPack();
  say('drivers', load);
  for (const line of formatPackLoad(load)) process.stdout.write(`${line}\n`);
  say('loaded', { uptime: uptime() });
  say('inventory', await takeInventory());
  if (readFileSync('/proc/cmdline', 'utf8').includes('probe=capture')) {
    process.stdout.write(`captured sysfs\n${captureSysfs()}end of sysfs\n`);
  }
  // The ESP is mounted with modules that the kernel asks modprobe for.
  execFileSync('busybox', ['modprobe', '-a', 'vfat', 'nls_cp437', 'fuse']);
  say('modules', readFileSync('/proc/modules', 'utf8').match(/^\w+/gm));
  say('tools', execFileSync('partclone.extfs', ['--version']).toString().trim());
  say('site', readFileSync('/rekindle/site/ca.pem', 'utf8'));
  writeFileSync('/run/rekindle/next', 'poweroff');
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stdout.write(`probe failed ${String(error)}\n`);
    process.exit(1);
  },
);
