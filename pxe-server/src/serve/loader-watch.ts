import type { BootDecider, Machine } from '../boot/boot-decider.ts';
import { isIpxe } from '../boot/firmware-kind.ts';
import { type MacAddress, parseMacAddress } from '../boot/mac-address.ts';
import { ipxeOfFile } from '../boot/second-try.ts';
import type { DhcpEvent } from '../dhcp/dhcp-event.ts';
import { deferWrites } from '../site/deferred-writes.ts';
import type { State } from '../site/state.ts';
import { cardsOfMachine, writeFetch, writeHeard } from '../stations/loader-tries.ts';
import { servedName } from '../tftp/served-file.ts';
import type { TftpEvent } from '../tftp/tftp-event.ts';
import { machineOfClient } from './boot-events.ts';

/**
 * Which machines fetched iPXE, and from which it was heard after that: what the second try is decided by. Nothing here
 * throws; what cannot be written is reported.
 */
export interface LoaderWatch {
  dhcp(event: DhcpEvent): void;
  tftp(event: TftpEvent): void;
  /** UEFI HTTP Boot has fetched a whole file. @param askedAt milliseconds since 1970 */
  http(machine: string, fileName: string, askedAt: number): void;
  /** iPXE asked for its boot script. */
  script(mac: MacAddress): void;
  flush(): void;
}

/** Cards over which iPXE was heard last: a fetch may be known to be over only after that. */
const rememberedHeard = 1024;

export function createLoaderWatch(
  state: State,
  decider: BootDecider,
  onFailure: (error: unknown) => void,
): LoaderWatch {
  const writes = deferWrites<() => void>(state, (write) => write(), onFailure);
  const heardAt = new Map<MacAddress, number>();

  const heard = (mac: MacAddress) => {
    const at = Date.now();
    heardAt.delete(mac);
    const [oldest] = heardAt.keys();
    if (heardAt.size >= rememberedHeard && oldest !== undefined) heardAt.delete(oldest);
    heardAt.set(mac, at);
    writes.add(() => writeHeard(state, mac, at));
  };
  /** Anybody can fetch a loader; only machines that we serve are remembered. */
  const isServed = (machine: Machine): boolean => {
    try {
      return decider.targetFor(machine).kind !== 'not-for-us';
    } catch (error) {
      onFailure(error);
      return false;
    }
  };
  const fetched = (machine: string, fileName: string, how: 'tftp' | 'http', fetchedAt: number) => {
    const ipxe = ipxeOfFile(fileName, how);
    const mac = parseMacAddress(machine);
    if (ipxe === undefined || mac === undefined || !isServed({ mac, firmwareKind: ipxe.firmware })) return;
    writes.add(() => {
      const last = Math.max(...cardsOfMachine(state, mac).map((card) => heardAt.get(card) ?? 0));
      writeFetch(state, mac, { ...ipxe, fetchedAt, ...(last === 0 ? {} : { heardAt: last }) });
    });
  };

  return {
    dhcp(event) {
      if (!('firmwareKind' in event) || event.mac === undefined || event.firmwareKind === undefined) return;
      // A driver that sends and receives nothing asks for ever, and never answers an offer.
      if (isIpxe(event.firmwareKind) && event.request !== 'DISCOVER') heard(event.mac);
    },
    tftp(event) {
      if (event.event !== 'finished') return;
      const { outcome, client, fileName, milliseconds } = event;
      if (outcome.kind !== 'done' && outcome.kind !== 'unconfirmed') return;
      fetched(machineOfClient(client), servedName(fileName), 'tftp', Date.now() - milliseconds);
    },
    http: (machine, fileName, askedAt) => fetched(machine, fileName, 'http', askedAt),
    script: heard,
    flush: writes.flush,
  };
}
