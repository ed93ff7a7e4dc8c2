import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { MacAddress } from '../boot/mac-address.ts';

/**
 * iPXE waits 13 to 16 s for an IPv6 router before it goes on with IPv4, and a plant network seldom has one. An
 * advertisement that promises nothing ends the wait (docs/facts.md). It goes to the one machine that has just asked us
 * by DHCP, and to nobody else on the network.
 */
export interface RouterAdvertiser {
  /** To this network card, soon; never throws and never waits. */
  advertiseTo(mac: MacAddress): void;
}

/** One advertisement for each of these network cards. */
export type SendAdvertisements = (machines: readonly MacAddress[]) => Promise<void>;

/** After a power cut all stations ask in the same moment: one program for all of them. */
const gatherMs = 100;
/** More machines in one moment wait the time that they would have waited without us. */
const machinesAtOnce = 256;

/** @param onFailure of the first time that it does not work; without it machines start later, and that is all */
function createRouterAdvertiser(
  send: SendAdvertisements,
  onFailure: (error: unknown) => void,
): RouterAdvertiser {
  let waiting: Set<MacAddress> | undefined;
  let isFailing = false;
  const sendAll = async (machines: Set<MacAddress>): Promise<void> => {
    await sleep(gatherMs, undefined, { ref: false });
    waiting = undefined;
    try {
      await send([...machines]);
    } catch (error) {
      if (!isFailing) onFailure(error);
      isFailing = true;
    }
  };
  return {
    advertiseTo(mac) {
      if (waiting === undefined) {
        waiting = new Set();
        void sendAll(waiting);
      }
      if (waiting.size < machinesAtOnce) waiting.add(mac);
    },
  };
}

const execute = promisify(execFile);
/** What perl does for Node, which has no packet sockets: 17 is AF_PACKET, 3 SOCK_RAW. Needs CAP_NET_RAW. */
const script =
  'socket(my $s, 17, 3, 0) or die "$!\\n"; my $i = shift; for (@ARGV) { send($s, pack("H*", $_), 0, pack("SnlSCCa8", 17, 0x86dd, $i, 0, 0, 6, "")) or die "$!\\n" }';

/** The network card of an interface of this computer. */
export function openRouterAdvertiser(
  interfaceName: string,
  onFailure: (error: unknown) => void,
): RouterAdvertiser {
  const about = (file: string) => readFileSync(`/sys/class/net/${interfaceName}/${file}`, 'utf8').trim();
  return createRouterAdvertiser(async (machines) => {
    const own = about('address') as MacAddress;
    const frames = machines.map((mac) => formatRouterAdvertisement(own, mac).toString('hex'));
    await execute('perl', ['-e', script, about('ifindex'), ...frames], { timeout: 5000 });
  }, onFailure);
}

const icmpv6 = 58;

/**
 * Ethernet, IPv6 and ICMPv6 Router Advertisement (RFC 4861 section 4.2) with lifetime 0, no prefix and no flags: no
 * system makes it a default router or takes an address from it. Both addresses are the link-local ones of the cards.
 */
function formatRouterAdvertisement(from: MacAddress, to: MacAddress): Buffer {
  const message = Buffer.alloc(16);
  message[0] = 134;
  const [source, target] = [linkLocalOf(from), linkLocalOf(to)];
  const pseudoHeader = Buffer.concat([
    source,
    target,
    Buffer.from([0, 0, 0, message.length, 0, 0, 0, icmpv6]),
  ]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudoHeader, message])), 2);
  const header = Buffer.from([0x60, 0, 0, 0, 0, message.length, icmpv6, 255]);
  return Buffer.concat([
    bytesOf(to),
    bytesOf(from),
    Buffer.from([0x86, 0xdd]),
    header,
    source,
    target,
    message,
  ]);
}

/** RFC 4291 appendix A, which iPXE follows: the card's address around ff:fe, with one bit turned. */
function linkLocalOf(mac: MacAddress): Buffer {
  const card = bytesOf(mac);
  card[0] = (card[0] ?? 0) ^ 2;
  const prefix = Buffer.from('fe80000000000000', 'hex');
  return Buffer.concat([prefix, card.subarray(0, 3), Buffer.from([0xff, 0xfe]), card.subarray(3)]);
}

function bytesOf(mac: MacAddress): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** RFC 1071: one's complement of the sum of 16-bit words. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
