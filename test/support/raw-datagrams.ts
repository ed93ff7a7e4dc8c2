/** UDP datagrams with any sender's address and port, also those that no socket can have. Needs CAP_NET_RAW. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface RawEndpoint {
  readonly address: string;
  readonly port: number;
}

export interface RawSender extends Disposable {
  /** Resolved once the kernel has it. */
  send(bytes: Buffer, from: RawEndpoint, to: RawEndpoint): Promise<void>;
}

/**
 * Node has no raw sockets, perl has: 2 is AF_INET, 3 SOCK_RAW, 255 IPPROTO_RAW (the IPv4 header is ours, the kernel fills
 * in its checksum). A UDP checksum of 0 says that there is none.
 */
const script = `use Socket; $| = 1; socket(my $s, 2, 3, 255) or die "$!\\n";
while (<STDIN>) { my ($from, $sport, $to, $dport, $hex) = split; my $data = pack("H*", $hex // "");
my $udp = pack("n4", $sport, $dport, 8 + length $data, 0) . $data;
my $ip = pack("CCn3CCn", 0x45, 0, 20 + length $udp, 0, 0, 64, 17, 0) . inet_aton($from) . inet_aton($to);
send($s, $ip . $udp, 0, sockaddr_in(0, inet_aton($to))) or die "$!\\n"; print "\\n" }`;

export function openRawSender(): RawSender {
  const perl = spawn('perl', ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: perl.stdout })[Symbol.asyncIterator]();
  return {
    async send(bytes, from, to) {
      perl.stdin.write(`${from.address} ${from.port} ${to.address} ${to.port} ${bytes.toString('hex')}\n`);
      if ((await lines.next()).done === true) throw new Error('perl could not send a raw datagram');
    },
    [Symbol.dispose]: () => void perl.stdin.end(),
  };
}
