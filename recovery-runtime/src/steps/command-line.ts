import { RekindleError } from '#base/errors.ts';
import { commandLineKeys } from '#contract/command-line.ts';
import { parseStationNetwork, type StationNetwork } from '#contract/station-network.ts';

/** What the boot script told this runtime (`pxe-server/src/contract/command-line.ts`). */
export interface BootCommandLine {
  readonly server: string;
  readonly bootMac: string;
  readonly purpose: 'recovery' | 'enrolment';
  /** Where the image is: behind the service, or on the medium that this machine booted from. */
  readonly imageFrom: 'service' | 'medium';
  /** A declared stand-in; the runtime refuses it on anything but a virtual machine. */
  readonly standIn: boolean;
  readonly dryRun: boolean;
  /** How this station reaches the network; empty: DHCP on a plain port. */
  readonly network: StationNetwork;
}

/**
 * Reads `/proc/cmdline`. Words of the kernel itself and of boot loaders are passed over; of a word that comes
 * twice the last one counts, as in the kernel.
 * @throws RekindleError `usage`, naming every word that is missing or wrong
 */
export function parseCommandLine(text: string): BootCommandLine {
  const words = new Map(
    text
      .trim()
      .split(/\s+/)
      .map((word): [string, string] => {
        const equals = word.indexOf('=');
        return equals === -1 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)];
      }),
  );
  const server = words.get(commandLineKeys.server) ?? '';
  // BOOTIF and some loaders write hyphens.
  const bootMac = (words.get(commandLineKeys.bootMac) ?? '').toLowerCase().replaceAll('-', ':');
  const purpose = words.get(commandLineKeys.purpose) ?? '';

  const parsedNetwork = parseStationNetwork(words);
  const wrong: string[] = parsedNetwork.kind === 'wrong' ? [...parsedNetwork.wrong] : [];
  if (!URL.canParse(server) || new URL(server).protocol !== 'https:') {
    wrong.push(`${commandLineKeys.server}=${server} is no https address`);
  }
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(bootMac)) {
    wrong.push(`${commandLineKeys.bootMac}=${bootMac} is no MAC address`);
  }
  if (purpose !== 'recovery' && purpose !== 'enrolment') {
    wrong.push(`${commandLineKeys.purpose}=${purpose} is neither recovery nor enrolment`);
    throw wrongCommandLine(wrong);
  }
  if (wrong.length > 0) throw wrongCommandLine(wrong);
  const imageFrom = words.get(commandLineKeys.imageFrom) === 'medium' ? 'medium' : 'service';
  const [standIn, dryRun] = [words.has(commandLineKeys.standIn), words.has(commandLineKeys.dryRun)];
  const network = parsedNetwork.kind === 'network' ? parsedNetwork.network : {};
  return { server, bootMac, purpose, imageFrom, standIn, dryRun, network };
}

function wrongCommandLine(wrong: readonly string[]): RekindleError {
  return new RekindleError('usage', 'reading what the boot script passed on', {
    cause: new Error(wrong.join('; ')),
    next: 'Boot this machine from the recovery service (F12), not with a boot script written by hand.',
  });
}
