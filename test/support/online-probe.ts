/**
 * Stand-in for the runtime's program: a small system on LVM that is in use, captured while programs write to it.
 * Bundled into a real runtime with Debian's lvm2 by online-capture.test.ts, run nowhere else.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { open, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorChain } from '#base/errors.ts';
import { type OnlineOptions, openOnlineSource } from '#images/snapshot/online-source.ts';
import { loadDriverPack } from '#runtime/drivers/load-driver-pack.ts';
import { waitForInit } from '#runtime/init/wait-for-init.ts';
import { captureImageOf, somePassportDisk } from './capture-image-of.ts';

// Nobody is there to make device nodes or to answer for them.
process.env['DM_DISABLE_UDEV'] = '1';
const disk = '/dev/vda';
const started = performance.now();

function say(what: string, value: unknown): void {
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  process.stdout.write(`probe ${what} ${JSON.stringify({ seconds, ...(value as object) })}\n`);
}

const sh = (script: string): string =>
  execFileSync('busybox', ['sh', '-ec', script], { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

/** GPT with an ESP, a boot partition and a physical volume: made on the host. Two volumes here. */
function build(): void {
  sh(`
    mkdir -p /mnt/store /mnt/data /mnt/log /mnt/esp /etc/lvm
    printf 'devices { dir = "/dev" scan = "/dev" obtain_device_list_from_udev = 0 external_device_info_source = "none" use_devicesfile = 0 }\\nactivation { udev_sync = 0 udev_rules = 0 verify_udev_operations = 1 monitoring = 0 }\\nbackup { backup = 0 archive = 0 }\\n' >/etc/lvm/lvm.conf
    mount -t ext4 /dev/vdb /mnt/store
    mount -t vfat /dev/vda1 /mnt/esp
    lvm pvcreate -q /dev/vda2 2>&1
    lvm vgcreate -q -s 1M vg-a /dev/vda2 2>&1
    lvm lvcreate -q -Wn -L 10M -n data vg-a 2>&1
    lvm lvcreate -q -Wn -L 6M -n log vg-a 2>&1
    lvm lvcreate -q -Wn -L 2M -n data2 vg-a 2>&1
    lvm lvextend -q -L +4M vg-a/data 2>&1
  `);
  for (const volume of ['data', 'log']) {
    sh(`/bin/mke2fs -q -t ext4 /dev/vg-a/${volume} && mount -t ext4 /dev/vg-a/${volume} /mnt/${volume}`);
  }
}

/**
 * Two files on two volumes: a number goes to the first, 2000 times, flushed, and then to the second, flushed. At
 * every moment the second holds the number of the first or the one before.
 */
function keepWriting(): AsyncDisposable {
  let stopped = false;
  const replace = async (file: string, text: string): Promise<void> => {
    await writeFile(`${file}.new`, text, { flush: true });
    await rename(`${file}.new`, file);
    const folder = await open(path.dirname(file));
    await folder.sync();
    await folder.close();
  };
  const writing = (async () => {
    for (let number = 1; !stopped; number += 1) {
      await replace('/mnt/data/first', `${number}\n`.repeat(2000));
      await replace('/mnt/log/second', `${number}\n`);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopped = true;
      await writing;
    },
  };
}

const listDevices = 'dmsetup ls | cut -f1 | sort | xargs';

const what: OnlineOptions = { disk, cowSize: { percent: 50 }, preFreeze: [], postThaw: [] };

/** What `rekindle image capture --online` does. */
async function capture(options: OnlineOptions, onRead = async () => {}): Promise<object> {
  let devices = '';
  const sizeBytes = Number(readFileSync('/sys/class/block/vda/size', 'utf8')) * 512;
  const image = await captureImageOf(
    '/mnt/store',
    [{ path: options.disk, passportDisk: somePassportDisk(sizeBytes) }],
    {
      workers: 2,
      async openSources() {
        const online = await openOnlineSource(options);
        devices = sh(listDevices);
        await onRead();
        return { ...online, paths: [online.path], capturedAt: online.takenAt };
      },
    },
  );
  return { image: image.name.utc, consistency: image.manifest.consistency, devices: devices.trim() };
}

/** What is left of a capture. */
const left = () => ({
  devices: sh(listDevices).trim(),
  loops: sh('losetup -a | wc -l').trim(),
  esp: sh("grep ' /mnt/esp ' /proc/mounts | grep -c ' rw' || true").trim(),
  images: sh('ls /mnt/store/images/* 2>/dev/null | wc -l').trim(),
  order: existsSync('/tmp/order') ? readFileSync('/tmp/order', 'utf8').trim().split('\n') : [],
});

async function attempt(name: string, work: () => Promise<object>): Promise<void> {
  const outcome = await work().catch((error: unknown) => ({ reasons: errorChain(error) }));
  say(name, { ...outcome, left: left() });
}

async function scenario(): Promise<void> {
  await waitForInit();
  await loadDriverPack();
  build();
  say('built', {});
  {
    await using _busy = keepWriting();
    await sleep(500);
    const commands = (text: string) => [`echo ${text}-1 >>/tmp/order`, `echo ${text}-2 >>/tmp/order`];
    await attempt('captured', () =>
      capture({ ...what, preFreeze: commands('pre'), postThaw: commands('post') }),
    );
    await attempt('failing-command', () =>
      capture({
        ...what,
        preFreeze: ['echo before >>/tmp/order', 'exit 3', 'echo never >>/tmp/order'],
        postThaw: ['echo after >>/tmp/order'],
      }),
    );
    // Killed in the middle, in the way that leaves most: everything is open.
    const victim = spawn(process.execPath, ['hold'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => victim.stdout.once('data', resolve));
    say('held', { left: left() });
    victim.kill('SIGKILL');
    await sleep(300);
    await attempt('after-a-kill', () => capture(what));
  }
  // More is written while it is read than the snapshot holds.
  await attempt('overflow', () =>
    capture({ ...what, cowSize: { bytes: 1 } }, async () => {
      sh('dd if=/dev/urandom of=/mnt/data/flood bs=1M count=4 2>/dev/null; sync');
    }),
  );
  sh(
    'rm /mnt/data/flood; umount /mnt/esp; dd if=/dev/zero of=/dev/vda1 bs=4096 count=1 2>/dev/null; /bin/mke2fs -q /dev/vda1; mount -t ext4 /dev/vda1 /mnt/esp',
  );
  {
    await using _open = await open('/mnt/esp/open', 'w');
    await attempt('busy-partition', () => capture(what));
  }
}

async function main(): Promise<void> {
  if (process.argv.includes('hold')) {
    await openOnlineSource(what);
    process.stdout.write('held\n');
    await sleep(100_000);
  }
  await scenario();
  sh('umount /mnt/store /mnt/data /mnt/log; sync');
  say('end', {});
  writeFileSync('/run/rekindle/next', 'poweroff');
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    say('broken', {
      reasons: errorChain(error),
      stderr: String((error as { stderr?: unknown }).stderr ?? ''),
    });
    writeFileSync('/run/rekindle/next', 'poweroff');
    process.exit(0);
  },
);
