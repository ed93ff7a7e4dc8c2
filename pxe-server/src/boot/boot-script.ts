import { RekindleError } from '#base/errors.ts';

/** What iPXE loads to start the recovery runtime. All URLs are absolute. */
export interface RuntimeBootScript {
  /** Shown to the technician: `recovery of OS-SRV-1A`, `enrolment`. */
  readonly title: string;
  readonly kernelUrl: string;
  readonly runtimeUrl: string;
  /** The station's driver pack, loaded as a second initrd; absent: the runtime has no drivers and says so. */
  readonly driverPackUrl?: string;
  /**
   * Words of the kernel command line, e.g. `rekindle.server=https://10.77.0.1:8443`, `console=ttyS0,115200`. iPXE
   * replaces `${mac}` by the MAC address it booted from. No secrets: anybody on the LAN can read this script.
   */
  readonly commandLine: readonly string[];
}

/** Seconds until a failed load is tried again without anybody at the keyboard. */
const retrySeconds = 15;
const question = `Press L to start from the local disk; trying again in ${retrySeconds} s ...`;

/**
 * The iPXE script that starts the runtime. Every file that cannot be loaded is named on the screen, below iPXE's
 * own message with the reason; then the script tries again until it works or a person presses L.
 *
 * `initrd=` names both files for EFI, where the kernel asks its loader for them by name.
 */
export function formatRuntimeScript(script: RuntimeBootScript): string {
  const { title, kernelUrl, runtimeUrl, driverPackUrl, commandLine } = script;
  const packName = driverPackUrl === undefined ? [] : ['initrd=driver-pack'];
  const words = ['initrd=runtime', ...packName, ...commandLine.map(assertWord)];
  const load = (what: string, url: string, command: string) => [
    `set what ${what}`,
    `set url ${assertUrl(url)}`,
    `${command} || goto failed`,
  ];
  return lines(
    '#!ipxe',
    `echo Rekindle: ${assertText(title)}`,
    ':start',
    'imgfree',
    ...load('the kernel', kernelUrl, `kernel --name vmlinuz ${setting('url')} ${words.join(' ')}`),
    ...load('the recovery runtime', runtimeUrl, `initrd --name runtime ${setting('url')}`),
    ...(driverPackUrl === undefined
      ? []
      : load(
          'the driver pack of this station',
          driverPackUrl,
          `initrd --name driver-pack ${setting('url')}`,
        )),
    'set what the loaded kernel',
    'boot || goto failed',
    ':failed',
    'echo',
    `echo Rekindle stopped at ${setting('what')}. The reason is in the line above.`,
    `echo From: ${setting('url')}`,
    `echo To:   ${setting('mac')}, ${setting('ip')}`,
    'echo Check the cable, and that the Rekindle service is running.',
    `prompt --key l --timeout ${retrySeconds * 1000} ${question} && goto local_disk || goto start`,
    ...localDisk,
  );
}

/** The iPXE script for a station of ours that nobody wants to recover now. */
export function formatLocalDiskScript(title: string): string {
  return lines('#!ipxe', `echo Rekindle: ${assertText(title)}`, ...localDisk);
}

/**
 * The iPXE script for a machine that must not boot from us, with the reason for whoever stands in front of it.
 * It waits long enough to be read.
 */
export function formatRefusalScript(reason: string): string {
  return lines('#!ipxe', `echo Rekindle: ${assertText(reason)}`, 'sleep 10', ...localDisk);
}

/**
 * UEFI goes on with the next boot option when the loader ends with an error; when it ends well, firmware may open its
 * setup menu instead (UEFI 2.10 section 3.1.1; seen with OVMF). Many BIOSes do not come back from the network, so
 * there the first disk is started directly; without one, ending is all that is left.
 */
export const localDisk: readonly string[] = [
  ':local_disk',
  `iseq ${setting('platform')} efi && exit 1 ||`,
  'echo Rekindle: starting from the local disk',
  'sanboot --no-describe --drive 0x80 || exit 1',
];

/** An iPXE setting, which iPXE replaces when it runs the line. */
function setting(name: string): string {
  return `\${${name}}`;
}

const expansions = /\$\{(mac|uuid|serial|ip)\}/g;

/** One word of printable ASCII; of iPXE's settings only those that say which machine this is. */
export function assertWord(word: string): string {
  if (/^[!-~]+$/.test(word) && !/[|&]{2}|\$\{/.test(word.replace(expansions, ''))) return word;
  throw unusable('kernel command line word', word);
}

export function assertUrl(url: string): string {
  if (/^https?:\/\/[!-~]+$/.test(url) && !/[|&]{2}|\$\{/.test(url)) return url;
  throw unusable('URL', url);
}

/** One line for `echo`, which knows no quotes. */
export function assertText(text: string): string {
  if (/^[ -~]+$/.test(text) && !/[|&]{2}|\$\{/.test(text)) return text;
  throw unusable('text', text);
}

function unusable(what: string, value: string): RekindleError {
  return new RekindleError(
    'usage',
    `The boot script cannot be written: ${JSON.stringify(value)} is no ${what}`,
    {
      details: { value },
    },
  );
}

export function lines(...all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
