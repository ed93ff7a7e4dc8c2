import type { HiveEdit, HivePatch } from '#runtime/hooks/windows/registry/hive-patch.ts';

/** A network card as Windows keeps it in its registry: device, driver, connection. */
export interface RegisteredCard {
  readonly guid: string;
  readonly name: string;
  /** Bus, device, function, decimal. */
  readonly place: readonly [number, number, number];
  readonly service: string;
  /** Last part of the device's name; Windows makes it of the card's serial number or its place. */
  readonly instance: string;
}

const networkClass = '{4D36E972-E325-11CE-BFC1-08002BE10318}';
const text = (value: string) => ({ type: 'string', value }) as const;
const deviceOf = ({ instance }: RegisteredCard) =>
  `PCI\\VEN_8086&DEV_10D3&SUBSYS_00008086&REV_00\\${instance}`;

/** What is stored, present or not; TCP/IP is bound in the order of the list. */
export function connectionsPatch(set: string, cards: readonly RegisteredCard[]): HivePatch {
  const value = (key: string, name: string, content: string): HiveEdit => ({
    ...{ kind: 'value', key: `${set}\\${key}`, name, value: text(content) },
  });
  return [
    ...cards.flatMap((card, at): HiveEdit[] => {
      const driver = `${networkClass}\\${String(at + 7).padStart(4, '0')}`;
      const device = `Enum\\${deviceOf(card)}`;
      const connection = `Control\\Network\\${networkClass}\\${card.guid}\\Connection`;
      const location = `@System32\\drivers\\pci.sys,#65536;PCI bus %1, device %2, function %3;(${card.place.join(',')})`;
      return [
        value(connection, 'Name', card.name),
        value(connection, 'PnpInstanceID', deviceOf(card)),
        value(device, 'LocationInformation', location),
        value(device, 'Service', card.service),
        value(device, 'Driver', driver),
        value(`Control\\Class\\${driver}`, 'NetCfgInstanceId', card.guid),
      ];
    }),
    {
      ...{ kind: 'value', key: `${set}\\Services\\Tcpip\\Linkage`, name: 'Bind' },
      value: { type: 'multi-string', value: cards.map(({ guid }) => `\\Device\\${guid}`) },
    },
  ];
}

/** What the running Windows adds: which of a driver's devices are there. */
export function presentPatch(set: string, service: string, cards: readonly RegisteredCard[]): HivePatch {
  const key = `${set}\\Services\\${service}\\Enum`;
  return [
    { kind: 'no-key', key },
    { kind: 'value', key, name: 'Count', value: { type: 'dword', value: cards.length } },
    ...cards.map(
      (card, at): HiveEdit => ({ kind: 'value', key, name: String(at), value: text(deviceOf(card)) }),
    ),
  ];
}
