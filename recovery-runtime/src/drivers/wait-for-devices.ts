import { setTimeout as pause } from 'node:timers/promises';
import { readPciFunctions } from '../inventory/pci-functions.ts';
import { listDirectory, resolveLink, type Sysfs } from '../inventory/sysfs.ts';

/** Buses on which drivers find further devices, with the classes that a person looks for. */
const watched: readonly string[] = [
  'sys/bus/pci/devices',
  'sys/bus/usb/devices',
  'sys/bus/virtio/devices',
  'sys/bus/vmbus/devices',
  'sys/bus/scsi/devices',
  'sys/bus/mmc/devices',
  'sys/class/net',
  'sys/block',
];

const stepMilliseconds = 100;
/** Share of the quiet time that is enough once every driven function has shown a disk or a network interface. */
const shareWhenComplete = 0.3;

/**
 * Waits until no device has come or gone for a while: drivers look for disks after insmod has returned.
 * @returns the milliseconds it took; the limit when devices never came to rest.
 */
export async function waitForDevices({
  root = '/',
  quietMilliseconds = 1000,
  limitMilliseconds = 20_000,
}: {
  readonly root?: string;
  readonly quietMilliseconds?: number;
  readonly limitMilliseconds?: number;
} = {}): Promise<number> {
  const sysfs: Sysfs = { root };
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  let last = await present(sysfs);
  let lastChange = 0;
  while (elapsed() < limitMilliseconds && elapsed() - lastChange < quietMilliseconds) {
    await pause(stepMilliseconds);
    const now = await present(sysfs);
    if (now !== last) lastChange = elapsed();
    last = now;
    const quietFor = elapsed() - lastChange;
    if (quietFor >= quietMilliseconds * shareWhenComplete && (await isComplete(sysfs))) break;
  }
  return Math.round(elapsed());
}

async function present(sysfs: Sysfs): Promise<string> {
  return (await Promise.all(watched.map((path) => listDirectory(sysfs, path)))).flat().join('\n');
}

/** Whether there is a disk or a network interface behind every storage and network function with a driver. */
async function isComplete(sysfs: Sysfs): Promise<boolean> {
  const wanted = (await readPciFunctions(sysfs)).filter(
    ({ pciClass, driver }) => driver !== undefined && /^0[12]/.test(pciClass),
  );
  const classes = await Promise.all(
    ['sys/block', 'sys/class/net'].map(async (path) =>
      (await listDirectory(sysfs, path)).map((name) => resolveLink(sysfs, `${path}/${name}`)),
    ),
  );
  const places = await Promise.all(classes.flat());
  return (
    wanted.length > 0 && wanted.every(({ slot }) => places.some((place) => place?.includes(`/${slot}/`)))
  );
}
