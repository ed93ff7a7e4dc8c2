import { lockDisks } from '#runtime/block/write-lock.ts';

/**
 * Locks each disk of its arguments by a lock of its own, gives back all but the last, says what is locked then, and
 * stays until it is killed.
 */
const locks = [];
for (const disk of process.argv.slice(2)) locks.push(await lockDisks({ disks: [disk], targets: [] }));
for (const lock of locks.slice(0, -1)) await lock[Symbol.asyncDispose]();
process.stdout.write(`${JSON.stringify(locks.at(-1)?.locked)}\n`);
setInterval(() => {}, 60_000);
