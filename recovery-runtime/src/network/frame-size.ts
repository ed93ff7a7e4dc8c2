import { RekindleError } from '#base/errors.ts';
import { callTool } from '#base/run-tool.ts';

const busybox = { command: 'busybox', debianPackage: 'busybox-static' };
const ip = { command: 'ip', debianPackage: 'iproute2' };

export const usualMtu = 1500;
/** IPv4 header and ICMP header in front of ping's data. */
const pingOverhead = 28;

/** @throws RekindleError `unexpected`: the card or its driver does not do that */
export async function setMtu(interfaceName: string, mtu: number): Promise<void> {
  const doing = `setting the frame size of ${interfaceName} to ${mtu} bytes`;
  const { status, stderr } = await callTool(doing, ip, ['link', 'set', interfaceName, 'mtu', String(mtu)]);
  if (status === 0) return;
  throw new RekindleError('unexpected', doing, {
    cause: new Error(stderr.trim()),
    next: 'Set a size that the card can do: rekindle station set NAME --mtu BYTES (1500 is the usual one).',
  });
}

/** `unknown`: the server answers no ping at all, so nothing can be said. */
export type JumboFrames = 'carried' | 'not-carried' | 'unknown';

/**
 * Whether packets of that size reach the server and come back whole. One switch on the way that drops them lets
 * every connection open and every download hang, so it is asked before anything is sent.
 */
export async function probeJumboFrames(server: string, mtu: number): Promise<JumboFrames> {
  const answers = async (bytes: number): Promise<boolean> => {
    const question = ['ping', '-c', '3', '-w', '3', '-s', String(bytes), server];
    const { status, stdout } = await callTool(`asking ${server} for an answer`, busybox, question);
    return status === 0 || / [1-9]\d* packets received/.test(stdout.toString());
  };
  if (await answers(mtu - pingOverhead)) return 'carried';
  return (await answers(56)) ? 'not-carried' : 'unknown';
}
