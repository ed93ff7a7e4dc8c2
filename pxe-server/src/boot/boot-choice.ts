import { assertText, assertUrl, assertWord, lines, localDisk } from './boot-script.ts';

/** Something else than the runtime that a station may boot. All URLs are absolute. */
export type OtherSystem =
  | {
      readonly kind: 'linux';
      readonly kernelUrl: string;
      readonly initrdUrls: readonly string[];
      readonly commandLine: readonly string[];
    }
  /** A kernel image that needs nothing else: memtest86+. `efiUrl` for UEFI. */
  | { readonly kind: 'program'; readonly biosUrl: string; readonly efiUrl: string }
  | { readonly kind: 'iso'; readonly url: string }
  /** Windows PE by wimboot: it takes files by the names that Windows' boot manager looks for. */
  | { readonly kind: 'winpe'; readonly wimbootUrl: string; readonly files: Readonly<Record<string, string>> };

/** The iPXE script that starts it; what cannot be started is named, and then the local disk starts. */
export function formatOtherSystemScript(title: string, system: OtherSystem): string {
  return lines(
    '#!ipxe',
    `echo Rekindle: ${assertText(title)}`,
    'imgfree',
    ...commandsOf(system),
    ':failed',
    'echo',
    `echo Rekindle: ${assertText(title)} did not start. The reason is in the line above.`,
    'echo The local disk starts in 30 s.',
    'sleep 30',
    ...localDisk,
  );
}

function commandsOf(system: OtherSystem): string[] {
  switch (system.kind) {
    case 'linux': {
      const names = system.initrdUrls.map((_, index) => `initrd${index}`);
      const words = [...names.map((name) => `initrd=${name}`), ...system.commandLine.map(assertWord)];
      return [
        `kernel --name vmlinuz ${assertUrl(system.kernelUrl)} ${words.join(' ')} || goto failed`,
        ...system.initrdUrls.map(
          (url, index) => `initrd --name ${names[index]} ${assertUrl(url)} || goto failed`,
        ),
        'boot || goto failed',
      ];
    }
    case 'program':
      return [
        `iseq \${platform} efi && chain ${assertUrl(system.efiUrl)} ||`,
        // On UEFI it only comes here when that failed.
        `iseq \${platform} efi && goto failed ||`,
        `kernel ${assertUrl(system.biosUrl)} || goto failed`,
        'boot || goto failed',
      ];
    case 'iso':
      return [`sanboot ${assertUrl(system.url)} || goto failed`];
    case 'winpe':
      return [
        `kernel --name wimboot ${assertUrl(system.wimbootUrl)} || goto failed`,
        ...Object.entries(system.files).map(
          ([name, url]) => `initrd --name ${assertWord(name)} ${assertUrl(url)} ${name} || goto failed`,
        ),
        'boot || goto failed',
      ];
  }
}
