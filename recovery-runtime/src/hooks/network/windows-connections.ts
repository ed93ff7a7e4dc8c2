import type { WindowsSystem } from '../restored-system.ts';
import type { Hive } from '../windows/registry/open-hive.ts';
import type { PairedCard } from './pair-cards.ts';

export const windowsOrderFile = 'network-order.js';

/** Device class of network adapters (devguid.h, GUID_DEVCLASS_NET). */
const networkClass = '{4D36E972-E325-11CE-BFC1-08002BE10318}';

/** A network connection of a stored Windows, of a card in a PCI slot. */
export interface Connection {
  /** With its braces. */
  readonly guid: string;
  /** What people call it: `Plant bus`. */
  readonly name: string;
  /** As the passport writes it: 0000:00:19.0 */
  readonly slot: string;
  /** Driver's service, whose key lists the devices that are there when Windows runs. */
  readonly service: string;
}

/** In the order in which TCP/IP is bound to them, which is their order for PCS 7. Reads only. */
export function readConnections(system: WindowsSystem): Promise<Connection[]> {
  return system.readHive('SYSTEM', (hive) => connectionsOf(hive, system.controlSet));
}

function connectionsOf(hive: Hive, controlSet: string): Connection[] {
  const text = (key: string, name: string): string => {
    const value = hive.read(`${controlSet}\\${key}`, name)?.value;
    return typeof value === 'string' ? value : '';
  };
  const bound = hive.read(`${controlSet}\\Services\\Tcpip\\Linkage`, 'Bind');
  const guids = bound?.type === 'multi-string' ? bound.value : [];
  return guids.flatMap((device) => {
    const guid = device.replace(/^\\Device\\/i, '');
    const key = `Control\\Network\\${networkClass}\\${guid}\\Connection`;
    const instance = `Enum\\${text(key, 'PnpInstanceID')}`;
    const slot = slotOf(text(instance, 'LocationInformation'));
    const [name, service] = [text(key, 'Name'), text(instance, 'Service')];
    return slot === undefined || name === '' || service === '' ? [] : [{ guid, name, slot, service }];
  });
}

/** `@System32\drivers\pci.sys,#65536;PCI bus %1, device %2, function %3;(0,25,0)`, decimal; segment 0 only. */
function slotOf(location: string): string | undefined {
  const found = /\((\d+),(\d+),(\d+)\)$/.exec(location);
  if (found === null) return undefined;
  const [bus = 0, device = 0, pciFunction = 0] = found.slice(1).map(Number);
  const hex = (value: number) => value.toString(16).padStart(2, '0');
  return bus > 255 ? undefined : `0000:${hex(bus)}:${hex(device)}.${pciFunction}`;
}

/** Connections of the machine's cards, still in their order. */
export function ofCards(connections: readonly Connection[], cards: readonly PairedCard[]): Connection[] {
  return connections.filter(({ slot }) => cards.some((card) => card.slot === slot));
}

/** What the step reads: ASCII in every code page, `\u` escapes in names. */
export function formatWindowsTable(connections: readonly Connection[]): string {
  const ascii = (name: string) =>
    name.replaceAll(/[^\x20-\x5b\x5d-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return connections
    .map(({ guid, service, slot, name }) => `card=${[guid, service, slot, ascii(name)].join('|')}\r\n`)
    .join('');
}
