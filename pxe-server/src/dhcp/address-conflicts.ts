import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ipv4Address } from '../boot/ipv4-address.ts';
import { type MacAddress, parseMacAddress } from '../boot/mac-address.ts';

/** Who uses an address on the link, before it is given away (RFC 2131 section 2.2, RFC 5227 section 2.1.1). */
export interface AddressConflicts {
  /** The network card that answers for `address` and is not `asker`; undefined: nobody answers. */
  userOf(address: Ipv4Address, asker: MacAddress): Promise<MacAddress | undefined>;
  /** The next question about this address goes to the wire again. */
  forget(address: Ipv4Address): void;
}

/** One ARP probe for many addresses at once; what did not answer is not in the map. */
export type ArpProbe = (addresses: readonly Ipv4Address[]) => Promise<ReadonlyMap<Ipv4Address, MacAddress>>;

/** Long enough for the DISCOVER of firmware, loader and runtime in one boot; only the first of them waits. */
const freeForMs = 120_000;
/** After a power cut all stations ask in the same moment: one probe for all of them. */
const gatherMs = 5;
/** Whoever floods us must not start a program for each packet: beyond that, questions wait for the next probe. */
const probesAtOnce = 4;
const rememberedAddresses = 1024;

/**
 * Questions of the same moment share one probe, and nobody waits for the probe of another moment.
 * @param onFailure a probe that could not be made; the addresses are given away as if nobody answered
 */
export function createAddressConflicts(
  probe: ArpProbe,
  onFailure: (error: unknown) => void,
): AddressConflicts {
  const free = new Map<string, number>();
  let running = 0;
  const waiting: (() => void)[] = [];
  /** A turn to probe; the next in line gets it when this one ends. */
  const turn = async (): Promise<Disposable> => {
    if (running < probesAtOnce) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return {
      [Symbol.dispose]: () => {
        const next = waiting.shift();
        if (next === undefined) running--;
        else next();
      },
    };
  };
  let gathering: { readonly addresses: Set<Ipv4Address>; readonly answers: ReturnType<ArpProbe> } | undefined;

  const ask = (address: Ipv4Address): ReturnType<ArpProbe> => {
    if (gathering === undefined) {
      const addresses = new Set<Ipv4Address>();
      const answers = sleep(gatherMs).then(async () => {
        using _turn = await turn();
        gathering = undefined;
        return await probe([...addresses]);
      });
      gathering = { addresses, answers };
    }
    gathering.addresses.add(address);
    return gathering.answers;
  };

  return {
    async userOf(address, asker) {
      const key = `${address} ${asker}`;
      const now = performance.now();
      if ((free.get(key) ?? 0) > now) return undefined;
      try {
        const user = (await ask(address)).get(address);
        if (user !== undefined && user !== asker) return user;
        free.delete(key);
        const [oldest] = free.keys();
        if (free.size >= rememberedAddresses && oldest !== undefined) free.delete(oldest);
        free.set(key, performance.now() + freeForMs);
      } catch (error) {
        onFailure(error);
      }
      return undefined;
    },
    forget(address) {
      for (const key of free.keys()) if (key.startsWith(`${address} `)) free.delete(key);
    },
  };
}

/** Two rounds, 120 ms each: a lost probe or answer is no free address. */
const scan = ['--plain', '--quiet', '--arpspa=0.0.0.0', '--retry=2', '--timeout=120', '--backoff=1'];
/** Bits a second; arp-scan's default would take 0.2 s to ask for 100 addresses. */
const bandwidth = 5_000_000;

/** ARP probes with arp-scan (Debian package `arp-scan`, needs CAP_NET_RAW). */
export function arpScan(interfaceName: string): ArpProbe {
  return (addresses) =>
    new Promise((resolve, reject) => {
      const args = [...scan, `--bandwidth=${bandwidth}`, `--interface=${interfaceName}`, ...addresses];
      execFile('arp-scan', args, { timeout: 3000 }, (error, stdout) => {
        if (error !== null) return reject(error);
        resolve(parseArpScan(stdout));
      });
    });
}

/** Lines of address, tab, network card; the first answer for an address counts. */
export function parseArpScan(text: string): ReadonlyMap<Ipv4Address, MacAddress> {
  const users = new Map<Ipv4Address, MacAddress>();
  for (const line of text.split('\n')) {
    const [address, mac] = line.trim().split(/\s+/);
    const parsed = parseMacAddress(mac ?? '');
    if (parsed !== undefined && !users.has(address as Ipv4Address)) users.set(address as Ipv4Address, parsed);
  }
  return users;
}
