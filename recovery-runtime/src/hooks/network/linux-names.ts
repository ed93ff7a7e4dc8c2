import fs from 'node:fs';
import path from 'node:path';
import type { PairedCard } from './pair-cards.ts';

/**
 * Where a Linux binds names and addresses to network cards by their MAC: systemd.link(5), udev(7), netplan,
 * interfaces(5), NetworkManager and the ifcfg files of Red Hat and SUSE. Folders of files.
 */
const folders = [
  'etc/systemd/network',
  'etc/udev/rules.d',
  'etc/netplan',
  'etc/network',
  'etc/network/interfaces.d',
  'etc/NetworkManager/system-connections',
  'etc/sysconfig/network-scripts',
  'etc/sysconfig/network',
];

export interface ConfigurationFile {
  /** Relative to the root of the system. */
  readonly name: string;
  readonly text: string;
}

/** Regular files only: a link may lead out of the restored system. */
export function readNetworkFiles(root: string): ConfigurationFile[] {
  return folders.filter((folder) => isInside(root, folder)).flatMap((folder) => readFiles(root, folder));
}

function readFiles(root: string, folder: string): ConfigurationFile[] {
  return fs
    .readdirSync(path.join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => path.join(folder, name))
    .sort()
    .map((name) => ({ name, text: fs.readFileSync(path.join(root, name), 'latin1') }));
}

function isInside(root: string, folder: string): boolean {
  const parts = folder.split('/');
  return parts.every((_, depth) => {
    const at = path.join(root, ...parts.slice(0, depth + 1));
    return fs.lstatSync(at, { throwIfNoEntry: false })?.isDirectory() === true;
  });
}

/** In place: owner and mode stay. Addresses have one length, so a power cut leaves no file that is cut off. */
export function writeNetworkFile(root: string, { name, text }: ConfigurationFile): void {
  const handle = fs.openSync(path.join(root, name), 'r+');
  try {
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(handle, bytes, at, bytes.length - at, at);
    fs.ftruncateSync(handle, bytes.length);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

/** Files that name a replaced card, with the address of the new one instead. Pure. */
export function withNewAddresses(
  files: readonly ConfigurationFile[],
  cards: readonly PairedCard[],
): ConfigurationFile[] {
  return files.flatMap(({ name, text }) => {
    const changed = replaceAll(text, cards);
    return changed === text ? [] : [{ name, text: changed }];
  });
}

/** All at once: two cards that changed places are not changed back. */
function replaceAll(text: string, cards: readonly PairedCard[]): string {
  const newOf = new Map(cards.flatMap(({ mac, was }) => (was === undefined ? [] : [[was, mac] as const])));
  return text.replaceAll(/\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b/g, (found) => {
    const mac = newOf.get(found.toLowerCase().replaceAll('-', ':'));
    if (mac === undefined) return found;
    const written = found.includes('-') ? mac.replaceAll(':', '-') : mac;
    return /[A-F]/.test(found) ? written.toUpperCase() : written;
  });
}

const address = '([0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5})';
const linkName = /^\s*Name\s*=\s*(\S+)/m;
const linkAddress = new RegExp(`^\\s*(?:Permanent)?MACAddress\\s*=\\s*${address}\\s*$`, 'm');
const ruleName = /\bNAME:?="([^"]+)"/;
const ruleAddress = new RegExp(`ATTR\\{address\\}=="${address}"`);
const deviceName = /^\s*DEVICE=["']?([^"'\s]+)/m;
const deviceAddress = new RegExp(`^\\s*HWADDR=["']?${address}`, 'm');

/** Names that the system gives to cards with these addresses. Pure. */
export function namesByAddress(files: readonly ConfigurationFile[]): Map<string, string> {
  const names = new Map<string, string>();
  const add = (mac: string | undefined, name: string | undefined) => {
    if (mac !== undefined && name !== undefined) names.set(mac.toLowerCase().replaceAll('-', ':'), name);
  };
  for (const { name, text } of files) {
    if (name.endsWith('.link')) add(linkAddress.exec(text)?.[1], linkName.exec(text)?.[1]);
    else if (name.endsWith('.rules')) {
      for (const line of text.split('\n').filter((each) => !/^\s*#/.test(each)))
        add(ruleAddress.exec(line)?.[1], ruleName.exec(line)?.[1]);
    } else if (/\/ifcfg-[^/]+$/.test(name)) add(deviceAddress.exec(text)?.[1], deviceName.exec(text)?.[1]);
  }
  return names;
}
