import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * The part of a machine's sysfs and procfs that the inventory reads, as text: one entry a line, path, kind
 * (`text`, `base64`, `link`) and content, with tabs between. Captured in the machine by the probe
 * (runtime-probe.ts, kernel parameter probe=capture), laid out again by the tests.
 */

const attributes = new Set(
  `vendor device subsystem_vendor subsystem_device class modalias driver size removable hidden nsid wwid
   serial logical_block_size physical_block_size type model name vpd_pg80 vpd_pg83 port_no bay_identifier
   address dev_port sys_vendor product_name product_version product_serial product_uuid board_vendor
   board_name board_version board_serial bios_version DMI`.split(/\s+/),
);
const starts = ['sys/devices', 'sys/bus/pci/devices', 'sys/bus/usb/devices', 'sys/block', 'sys/class/net'];
const notDeeper =
  /\/(power|msi_irqs|trace|statistics|integrity|mq|slaves|holders|queues|acpi|system|platform|tty)$/;

export function captureSysfs(): string {
  const lines: string[] = [];
  const add = (path: string, bytes: Buffer): void => {
    const text = bytes.toString('utf8').replace(/\n$/, '');
    const isText = /^[\x20-\x7e]*$/.test(text);
    lines.push(isText ? `${path}\ttext\t${text}` : `${path}\tbase64\t${bytes.toString('base64')}`);
  };
  const walk = (directory: string, isStart: boolean): void => {
    for (const name of readdirSync(`/${directory}`).sort()) {
      const path = `${directory}/${name}`;
      const entry = lstatSync(`/${path}`);
      if (entry.isSymbolicLink()) {
        if (isStart || attributes.has(name)) lines.push(`${path}\tlink\t${readlinkSync(`/${path}`)}`);
      } else if (entry.isDirectory()) {
        if (!notDeeper.test(path)) walk(path, false);
      } else if (attributes.has(name)) {
        try {
          add(path, readFileSync(`/${path}`));
        } catch {
          // Some attributes cannot be read; the inventory does not get them either.
        }
      }
    }
  };
  for (const start of starts) walk(start, start !== 'sys/devices');
  lines.push('sys/class/dmi/id\tlink\t../../devices/virtual/dmi/id');
  add('sys/firmware/dmi/tables/DMI', readFileSync('/sys/firmware/dmi/tables/DMI'));
  add('proc/cpuinfo', Buffer.from(readFileSync('/proc/cpuinfo', 'utf8').replace(/^flags.*\n/gm, '')));
  return `${lines.join('\n')}\n`;
}

/** Lays a captured machine out below an existing directory. */
export function layOutSysfs(text: string, root: string): void {
  for (const line of text.split('\n').filter(Boolean)) {
    const [path = '', kind, content = ''] = line.split('\t');
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    if (kind === 'link') {
      const destination = insideRoot(content, path);
      // Drivers themselves are not captured; that a device has one is.
      if (path.endsWith('/driver')) mkdirSync(join(dirname(target), destination), { recursive: true });
      symlinkSync(destination, target);
    } else writeFileSync(target, kind === 'base64' ? Buffer.from(content, 'base64') : `${content}\n`);
  }
}

/** An absolute link of the machine would leave the root. */
function insideRoot(content: string, path: string): string {
  return content.startsWith('/') ? relative(dirname(`/${path}`), content) : content;
}
