import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { RekindleError } from '#base/errors.ts';
import { missingTool } from '#base/run-tool.ts';
import type { MacAddress } from '../boot/mac-address.ts';

export interface PacketCapture {
  readonly interfaceName: string;
  readonly file: string;
  readonly milliseconds: number;
  /** Everything of this machine; absent: the boot protocols of all. */
  readonly machine?: MacAddress;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

const tcpdump = { command: 'tcpdump', debianPackage: 'tcpdump' };
const bootProtocols = 'arp or udp port 67 or udp port 68 or udp port 69 or udp port 4011 or icmp';

/**
 * Writes packets into a pcap file with tcpdump, until the time is over or the signal comes.
 * @throws RekindleError `usage`: tcpdump is missing, or refused with its own words as cause
 */
export async function capturePackets(capture: PacketCapture): Promise<void> {
  const { interfaceName, file, machine, milliseconds, signal } = capture;
  const doing = `capturing packets on ${interfaceName}`;
  const filter = machine === undefined ? bootProtocols : `ether host ${machine}`;
  // -U: what was seen is in the file at once; -Z: tcpdump would otherwise change to a user who cannot write there.
  const args = ['-i', interfaceName, '-U', '-n', '-Z', 'root', '-w', file, filter];
  const child = spawn(tcpdump.command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  const stop = () => child.kill('SIGINT');
  const timer = setTimeout(stop, milliseconds);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code === 0) return;
    throw new RekindleError('usage', doing, {
      cause: new Error(said.trim()),
      next: 'The reason above is tcpdump’s.',
    });
  } catch (error) {
    throw error instanceof RekindleError ? error : missingTool(doing, tcpdump, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
