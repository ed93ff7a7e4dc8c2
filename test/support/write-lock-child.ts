import { lockDisks } from '#runtime/block/write-lock.ts';

/** Locks the disk of its argument, says so, and stays until it is killed. */
const disk = process.argv[2] ?? '';
const lock = await lockDisks({ disks: [disk], targets: [] });
process.stdout.write(`${JSON.stringify(lock.locked)}\n`);
setInterval(() => {}, 60_000);
