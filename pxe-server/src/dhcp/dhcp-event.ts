import type { FirmwareKind } from '../boot/firmware-kind.ts';
import type { Ipv4Address } from '../boot/ipv4-address.ts';
import type { MacAddress } from '../boot/mac-address.ts';
import type { Endpoint } from './destination.ts';
import type { MessageType } from './message-type.ts';
import type { ReplyType } from './reply.ts';

/** Who asked and through which port; `mac` and `xid` follow one machine through the journal. */
interface FromMachine {
  readonly mac: MacAddress;
  readonly xid: number;
  /** 67 or 4011. */
  readonly port: number;
  readonly request: MessageType;
  /** Absent for a plain DHCP client. */
  readonly firmwareKind?: FirmwareKind;
  /** What the firmware says about its network driver: `UNDI 3.16`. */
  readonly networkInterface?: string;
  /** The relay that forwarded the request. */
  readonly relay?: Ipv4Address;
}

/** Everything that the DHCP server does, for the log, the journal and the doctor. */
export type DhcpEvent =
  | {
      readonly event: 'listening';
      readonly mode: 'proxy' | 'reservation';
      readonly interfaceName: string;
      readonly address: Ipv4Address;
    }
  | (FromMachine & {
      readonly event: 'replied';
      readonly reply: ReplyType;
      readonly to: Endpoint;
      /** Absent in proxy answers, INFORM answers and NAKs. */
      readonly address?: Ipv4Address;
      readonly bootFile?: string;
      /** Why this is not the file that the firmware fetched last. */
      readonly secondTry?: string;
    })
  | (FromMachine & { readonly event: 'released'; readonly address: Ipv4Address })
  | (FromMachine & { readonly event: 'declined'; readonly address: Ipv4Address })
  /** The address is not given away: this network card answers for it on the link. */
  | (FromMachine & {
      readonly event: 'conflict';
      readonly address: Ipv4Address;
      readonly user: MacAddress;
    })
  | (Partial<FromMachine> & {
      readonly event: 'ignored';
      readonly from: Endpoint;
      readonly reasons: readonly string[];
      /** Another DHCP server that this machine has chosen. */
      readonly otherServer?: Ipv4Address;
    })
  /** It looks for something to boot, and there is no loader for what it is; `platforms` as in UnservedClient. */
  | (FromMachine & { readonly event: 'unserved'; readonly platforms: readonly string[] })
  /** One datagram or one answer failed; the server goes on. */
  | { readonly event: 'failed'; readonly doing: string; readonly error: unknown };
