import { commandLineKeys } from '#contract/command-line.ts';
import type { BootDecider } from '../boot/boot-decider.ts';
import { formatLocalDiskScript, formatRefusalScript, formatRuntimeScript } from '../boot/boot-script.ts';
import type { MacAddress } from '../boot/mac-address.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { State } from '../site/state.ts';
import { stationOf } from '../stations/registry-decider.ts';
import { hasPack, universalPack } from '../stations/station-pack.ts';

export interface BootScriptContext {
  readonly state: State;
  readonly paths: SitePaths;
  readonly decider: BootDecider;
  /** `http://10.77.0.1:8080`, no slash at the end. */
  readonly httpBaseUrl: string;
  /** `https://10.77.0.1:8443` */
  readonly apiUrl: string;
}

export interface ChosenBootScript {
  readonly script: string;
  /** For the journal. */
  readonly sentence: string;
}

/** Which boot script a machine gets; `uuid` is there when iPXE was asked for it. */
export function chooseBootScript(
  context: BootScriptContext,
  mac: MacAddress,
  uuid: string | undefined,
): ChosenBootScript {
  const { httpBaseUrl } = context;
  const machine = { mac, ...(uuid === undefined ? {} : { uuid }), firmwareKind: 'ipxe-uefi' as const };
  const target = context.decider.targetFor(machine);
  if (target.kind === 'not-for-us') {
    if (uuid === undefined) {
      return {
        script: askAgainScript(httpBaseUrl, mac),
        sentence: 'is asked for its UUID: no station has its MAC',
      };
    }
    return refusal(`this machine (${mac}) is not known here: ${target.reason}`);
  }
  if (target.kind === 'local-disk') {
    const sentence = 'starts from its local disk';
    return { script: formatLocalDiskScript(sentence), sentence };
  }
  const station = stationOf(context.state, machine);
  const pack = station?.name ?? universalPack;
  if (!hasPack(context.paths, pack)) {
    return refusal(`there is no driver pack for ${pack}. On the server: rekindle driver-pack build ${pack}`);
  }
  const title = station === undefined ? target.purpose : `${target.purpose} of ${station.name}`;
  const script = formatRuntimeScript({
    title,
    kernelUrl: `${httpBaseUrl}/boot/vmlinuz`,
    runtimeUrl: `${httpBaseUrl}/boot/runtime.img`,
    driverPackUrl: `${httpBaseUrl}/boot/packs/${pack}.img`,
    commandLine: [
      `${commandLineKeys.server}=${context.apiUrl}`,
      `${commandLineKeys.bootMac}=${mac}`,
      `${commandLineKeys.purpose}=${target.purpose}`,
      'console=tty0',
      'console=ttyS0,115200',
      'quiet',
    ],
  });
  return { script, sentence: `gets the boot script: ${title}` };
}

function refusal(reason: string): ChosenBootScript {
  return { script: formatRefusalScript(reason), sentence: `is sent to its local disk: ${reason}` };
}

/** A station whose network card was replaced is found by the UUID of its board, which only iPXE can add. */
function askAgainScript(httpBaseUrl: string, mac: MacAddress): string {
  return `#!ipxe\nchain ${httpBaseUrl}/boot/script.ipxe?mac=${mac}&uuid=\${uuid} || exit 1\n`;
}
