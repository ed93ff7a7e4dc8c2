import fs from 'node:fs';
import path from 'node:path';
import { startBackgroundTool } from '../mount/background-tool.ts';
import { type FuseFile, mountAsFile, mountNbdAsFile } from '../mount/fuse-file.ts';
import { temporaryFolder } from '../mount/serve-image-disk.ts';
import { qemuName, type VirtualDisk } from './inspect-virtual-disk.ts';
import { qemuNbd, vhdimount } from './qemu-tools.ts';
import { qemuSectorBytes } from './virtual-disk-facts.ts';

/** A virtual disk as a plain file of its bytes, read-only, without a copy. */
export interface OpenVirtualDisk extends AsyncDisposable {
  readonly file: string;
}

/**
 * qemu-nbd reads the format, nbdfuse makes a file of it. A raw file is that already. What QEMU does not read is made a
 * raw file by vhdimount first.
 */
export async function openVirtualDisk(disk: VirtualDisk): Promise<OpenVirtualDisk> {
  if (disk.format === 'raw') return { file: disk.path, async [Symbol.asyncDispose]() {} };
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder()).path;
  const socket = path.join(folder, 'socket');
  if (disk.sectorBytes !== undefined && disk.sectorBytes !== qemuSectorBytes) {
    const shown = stack.use(await showVhdx(disk.path, path.join(folder, 'vhdx')));
    stack.use(await serveWithQemu({ path: shown.file, format: 'raw' }, socket));
    // qemu-nbd has it open: whoever is killed from here on leaves no mount.
    await shown.hide();
  } else stack.use(await serveWithQemu(disk, socket));
  const mountPoint = path.join(folder, 'disk');
  fs.mkdirSync(mountPoint);
  const { file } = stack.use(await mountNbdAsFile(`nbd+unix:///?socket=${socket}`, mountPoint));
  const resources = stack.move();
  return { file, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

const connections = 8;

/** In the foreground (`-v`), so that it ends with its last user or with us. */
function showVhdx(file: string, folder: string): Promise<FuseFile> {
  fs.mkdirSync(folder);
  return mountAsFile({
    doing: `Opening ${file}`,
    tool: vhdimount,
    args: ['-v', file, folder],
    folder,
    name: 'vhdi1',
  });
}

async function serveWithQemu(
  { path: file, format }: Pick<VirtualDisk, 'path' | 'format'>,
  socket: string,
): Promise<AsyncDisposable> {
  const server = await startBackgroundTool({
    doing: `Opening ${file}`,
    tool: qemuNbd,
    args: [
      ...['--read-only', '--persistent', `--shared=${connections}`],
      ...[`--format=${qemuName[format]}`, `--socket=${socket}`, file],
    ],
    isReady: () => fs.existsSync(socket),
    next: 'Check the file with qemu-img info.',
  });
  return {
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM');
      await server.ended;
    },
  };
}
