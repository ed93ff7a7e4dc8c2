import type { LoaderName } from '../boot/loader-name.ts';
import { nothingHeardOf } from '../boot/second-try.ts';
import { bootStages, isPlainDhcp, type JournalEntry } from './boot-stage.ts';

/** A boot that has got no further for this long has stopped. */
const stoppedAfterMs = 60_000;

/**
 * Where a boot conversation ended, in one sentence with what to do; undefined: it reached the runtime, went to its own
 * disk on purpose, or may still be going on. Decides by the stage reached and by the answers that we gave.
 */
export function judgeBoot(
  boot: readonly JournalEntry[],
  mode: 'proxy' | 'reservation',
  now = Date.now(),
): string | undefined {
  const last = boot.at(-1);
  if (last === undefined || now - last.at.getTime() < stoppedAfterMs) return undefined;
  const said = (words: string) => boot.some(({ sentence }) => sentence.includes(words));
  const reached = bootStages[Math.max(...boot.map(({ stage }) => bootStages.indexOf(stage)))];
  switch (reached) {
    case 'firmware':
      if (said('gets ACK') || said('gets NAK')) {
        return 'the address was given, but the loader was not asked for: a firewall between here and the machine blocks TFTP (69/udp), or the firmware did not accept the boot file.';
      }
      if (!said('gets OFFER')) return undefined;
      return mode === 'proxy'
        ? 'offer sent; no request followed: this firmware ignores split offers, or took no address from the other DHCP server. Use reservation mode (dhcp.mode in rekindle.yaml).'
        : 'offer sent; no request followed: the machine took the offer of another DHCP server, or ours did not reach it (`rekindle doctor` looks for other servers).';
    case 'loader':
      if (said('went silent during')) {
        return 'the loader did not arrive whole: the network loses packets, or the machine was switched off.';
      }
      return judgeLoader(said);
    case 'ipxe':
      return 'the loader runs, but did not fetch its boot script: a firewall blocks HTTP, or the loader lost the link.';
    case 'boot-files':
      if (said('does not get')) return 'a boot file could not be delivered; the line above says which.';
      if (!startsRuntime(boot)) return undefined;
      return 'kernel and runtime were delivered, but the runtime never called back: a firewall between here and the machine blocks 8443/tcp, its switch port does not forward yet (spanning tree: set portfast), there is too little memory (1 GiB is enough), or no driver for its network card (`rekindle driver-pack check NAME`). The screen of the machine says more.';
    case 'runtime':
      // An address alone may also be that of the installed system; the runtime's own call is `noteReached`.
      if (!startsRuntime(boot) || boot.some((entry) => entry.stage === 'runtime' && !isPlainDhcp(entry))) {
        return undefined;
      }
      return 'the runtime has got its address, but never called back: a firewall between here and the machine blocks 8443/tcp, or the machine lost its link. The screen of the machine says more.';
    default:
      return undefined;
  }
}

/** What it was given last: the runtime, and not a menu, its own disk or another system, of which we hear nothing. */
export function startsRuntime(boot: readonly JournalEntry[]): boolean {
  const isRuntime = /gets (the boot script: |the runtime\b|\S*runtime\.img\b)/;
  const last = boot.findLast(
    ({ sentence }) =>
      isRuntime.test(sentence) || sentence.includes('boot menu') || sentence.includes('local disk'),
  );
  return last !== undefined && isRuntime.test(last.sentence);
}

/** The loader was fetched, and nothing was heard of it. */
function judgeLoader(said: (words: string) => boolean): string {
  const fetched = (...names: readonly LoaderName[]) => names.some((name) => said(`gets ${name} by`));
  const isUefi = fetched('snponly.efi', 'ipxe.efi');
  if (!isUefi && !fetched('undionly.kpxe', 'ipxe.pxe')) {
    return 'the loader was fetched, but did not start or found no network: Secure Boot refuses it, or its network driver fails. `rekindle station set NAME --loader` chooses another one.';
  }
  const another = isUefi
    ? 'with Secure Boot on `rekindle station set NAME --loader signed-grub` (for machines to be enrolled boot.loader in rekindle.yaml), else look at cable and switch port'
    : 'look at cable and switch port, then try PXELINUX, `rekindle station set NAME --loader lpxelinux`';
  if (said(nothingHeardOf)) {
    return `neither iPXE with the firmware's driver nor the one with its own was heard after it was fetched: ${isUefi ? 'Secure Boot refuses both, or neither driver works' : 'neither driver works'}. Next: ${another}. Until then they take turns.`;
  }
  const why = isUefi ? 'Secure Boot refuses it, or its network driver fails' : 'its network driver fails';
  return `the loader was fetched, but did not start or found no network: ${why}. Start the machine again: unless somebody has set its loader, it is offered the other iPXE by itself. When that fails too, ${another}.`;
}
