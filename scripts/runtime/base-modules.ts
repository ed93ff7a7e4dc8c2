import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import { runTool } from '#base/run-tool.ts';
import type { CpioEntry } from '#driver-packs/cpio.ts';
import type { UnpackedKernel } from '#driver-packs/kernel-package.ts';
import { inLoadOrder, readModuleIndex } from '#driver-packs/module-index.ts';

const depmod = { command: 'depmod', debianPackage: 'kmod' };

/**
 * Loaded by init: UEFI variables, the keyboard, which most machines have on USB, and loop devices, whose control node
 * only the module itself makes (volumes of a restored disk that has no table yet).
 */
const loadedAtStart: readonly string[] = [
  'efivarfs',
  'xhci_pci',
  'ehci_pci',
  'uhci_hcd',
  'ohci_pci',
  'hid_generic',
  'usbhid',
  'loop',
];
/**
 * Loaded by the kernel through modprobe: when somebody mounts (the ESP, a restored Linux, Windows volumes by
 * ntfs-3g), and for a switch port that is VLAN-tagged.
 */
const loadedOnDemand: readonly string[] = [
  'vfat',
  'nls_ascii',
  'nls_cp437',
  'nls_utf8',
  'fuse',
  'ext4',
  'crc32c_generic',
  '8021q',
];

/** Modules of the runtime itself, none of them for storage or network, with depmod's tables of them. */
export async function baseModules(kernel: UnpackedKernel, workDirectory: string): Promise<CpioEntry[]> {
  const index = await readModuleIndex(kernel);
  const wanted = [...loadedAtStart, ...loadedOnDemand];
  const absent = wanted.filter((name) => !index.modules.has(name));
  if (absent.length > 0) {
    throw new RekindleError('unexpected', `kernel ${kernel.version} has no module ${absent.join(', ')}`, {
      next: 'a newer kernel may have built it in: take it out of scripts/runtime/base-modules.ts',
    });
  }
  const root = await mkdtemp(join(workDirectory, 'modules-'));
  try {
    const directory = `lib/modules/${kernel.version}`;
    const paths = inLoadOrder(index, wanted).map(({ path }) => path);
    for (const path of paths) {
      const target = join(root, directory, path);
      await mkdir(dirname(target), { recursive: true });
      await copyFile(join(kernel.modulesDirectory, path), target);
    }
    for (const table of ['modules.order', 'modules.builtin']) {
      await copyFile(join(kernel.modulesDirectory, table), join(root, directory, table));
    }
    await runTool('indexing the runtime’s own modules', depmod, ['-b', root, kernel.version]);
    // busybox modprobe reads these three and none of the binary ones.
    const files = [...paths, 'modules.dep', 'modules.alias', 'modules.symbols'].map(
      async (path): Promise<CpioEntry> => ({
        kind: 'file',
        path: `${directory}/${path}`,
        mode: 0o644,
        bytes: await readFile(join(root, directory, path)),
      }),
    );
    return [
      ...(await Promise.all(files)),
      { kind: 'file', path: 'etc/modules', mode: 0o644, bytes: Buffer.from(`${loadedAtStart.join('\n')}\n`) },
    ];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
