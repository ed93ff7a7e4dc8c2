import { formatOtherSystemScript } from './boot-choice.ts';
import { bootScriptPath, otherFilePath } from './boot-file.ts';
import { formatBootMenu } from './boot-menu.ts';
import { formatLocalDiskScript, formatRefusalScript, formatRuntimeScript } from './boot-script.ts';
import { type ChosenBoot, kernelPath, packPath, runtimePath } from './chosen-boot.ts';
import { menuItems } from './other-systems.ts';

/** Who asks for a script, and how it reaches us. */
export interface IpxeMachine {
  readonly mac: string;
  readonly uuid?: string;
  /** `http://10.77.0.1:8080`, no slash at the end. */
  readonly httpBaseUrl: string;
}

/** What one machine boots, as an iPXE script. The menu asks for a script once more, with what was chosen. */
export function formatIpxeScript(boot: ChosenBoot, { mac, uuid, httpBaseUrl }: IpxeMachine): string {
  const url = (path: string) => `${httpBaseUrl}${path}`;
  switch (boot.kind) {
    case 'runtime':
      return formatRuntimeScript({
        title: boot.title,
        kernelUrl: url(kernelPath),
        runtimeUrl: url(runtimePath),
        driverPackUrl: url(packPath(boot.pack)),
        commandLine: boot.commandLine,
      });
    case 'menu':
      return formatBootMenu({
        title: boot.station,
        items: menuItems(boot.others, boot.station),
        withoutKey: boot.withoutKey,
        seconds: boot.seconds,
        scriptUrl: `${url(bootScriptPath(mac))}${uuid === undefined ? '' : `&uuid=${uuid}`}`,
      });
    case 'local-disk':
      return formatLocalDiskScript('starting from the local disk');
    case 'other':
      return formatOtherSystemScript(
        boot.system.title,
        boot.system.system((file) => url(otherFilePath(file))),
      );
    case 'uuid-wanted':
      // A station whose network card was replaced is found by the UUID of its board, which only iPXE can add.
      return `#!ipxe\nchain ${url('/boot/script.ipxe')}?mac=${mac}&uuid=\${uuid} || exit 1\n`;
    case 'refusal':
      return formatRefusalScript(boot.reason);
  }
}
