import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { missingTool } from '#base/run-tool.ts';
import { attachLoop } from './loop-device.ts';
import { countLogEntries } from './write-log.ts';

/**
 * A real block device that is served from user space by qemu's storage daemon: blklogwrites notes every write and
 * flush, blkdebug fails where it is told to. The loop device on top matters: closing the daemon's file itself would
 * send a flush, closing a block device does not. What was written is read back from the page cache of the daemon's
 * file, so bad reads cannot be made here (and direct I/O of a loop device on FUSE loses writes, Linux 6.18).
 */
export interface ServedDisk extends AsyncDisposable {
  readonly device: string;
  /** The file behind; its bytes are the device's once the device is closed. */
  readonly file: string;
}

export interface LoggedDisk extends ServedDisk {
  readonly logFile: string;
  /** Entries in the log by now. */
  countEntries(): number;
}

const daemon = { command: 'qemu-storage-daemon', debianPackage: 'qemu-system-common' };
const logLimit = 8 * 1024 ** 3;

export async function serveLoggedDisk(folder: string, initial: string): Promise<LoggedDisk> {
  fs.mkdirSync(folder, { recursive: true });
  const [file, logFile] = [path.join(folder, 'disk.img'), path.join(folder, 'writes.log')];
  fs.copyFileSync(initial, file);
  fs.writeFileSync(logFile, '');
  fs.truncateSync(logFile, logLimit);
  const log = 'driver=blklogwrites,log=log,log-sector-size=512,log-super-update-interval=1';
  const disk = await serveDisk(
    folder,
    file,
    ['--blockdev', `driver=file,node-name=log,filename=${logFile}`],
    log,
  );
  return { ...disk, logFile, countEntries: () => countLogEntries(logFile) };
}

/** @param rules blkdebug's configuration, e.g. `[inject-error] event = "pwritev" …` */
export async function serveFailingDisk(folder: string, initial: string, rules: string): Promise<ServedDisk> {
  fs.mkdirSync(folder, { recursive: true });
  const [file, config] = [path.join(folder, 'disk.img'), path.join(folder, 'blkdebug.conf')];
  fs.copyFileSync(initial, file);
  fs.writeFileSync(config, rules);
  return serveDisk(folder, file, [], `driver=blkdebug,config=${config}`, 'image');
}

async function serveDisk(
  folder: string,
  file: string,
  more: readonly string[],
  filter: string,
  child = 'file',
): Promise<ServedDisk> {
  const mountPoint = path.join(folder, 'exported');
  fs.writeFileSync(mountPoint, '');
  const process = spawn(daemon.command, [
    ...['--blockdev', `driver=file,node-name=file,discard=unmap,filename=${file}`],
    ...more,
    ...['--blockdev', `${filter},node-name=top,discard=unmap,${child}=file`],
    ...['--export', `type=fuse,id=export,node-name=top,mountpoint=${mountPoint},writable=on`],
  ]);
  let said = '';
  process.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  process.once('error', (cause) => (said += missingTool('Serving a disk', daemon, cause).message));
  try {
    const { size } = fs.statSync(file);
    for (let tries = 0; fs.statSync(mountPoint).size !== size; tries++) {
      if (process.exitCode !== null || tries > 200)
        throw new Error(`qemu-storage-daemon serves no disk: ${said}`);
      await sleep(50);
    }
    const loop = await attachLoop(mountPoint);
    return {
      device: loop.device,
      file,
      [Symbol.asyncDispose]: async () => {
        await loop[Symbol.asyncDispose]();
        await end(process);
      },
    };
  } catch (error) {
    await end(process);
    throw error;
  }
}

/** SIGTERM: the daemon takes its FUSE mount away itself. */
async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const closed = once(process, 'close');
  process.kill('SIGTERM');
  await closed;
}
