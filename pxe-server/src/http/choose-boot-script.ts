import { commandLineKeys } from '#contract/command-line.ts';
import { formatStationNetwork } from '#contract/station-network.ts';
import { formatOtherSystemScript } from '../boot/boot-choice.ts';
import type { BootDecider } from '../boot/boot-decider.ts';
import { bootScriptPath, otherFilePath } from '../boot/boot-file.ts';
import { formatBootMenu } from '../boot/boot-menu.ts';
import { formatLocalDiskScript, formatRefusalScript, formatRuntimeScript } from '../boot/boot-script.ts';
import type { MacAddress } from '../boot/mac-address.ts';
import { menuItems, type OfferedSystem, offeredSystems } from '../boot/other-systems.ts';
import type { Configuration } from '../config/configuration.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { State } from '../site/state.ts';
import { stationOf } from '../stations/registry-decider.ts';
import type { Station } from '../stations/station.ts';
import { hasPack, universalPack } from '../stations/station-pack.ts';

export interface BootScriptContext {
  readonly state: State;
  readonly paths: SitePaths;
  readonly decider: BootDecider;
  readonly configuration: Configuration;
}

/** What a request for the boot script says. */
export interface BootScriptRequest {
  readonly mac: MacAddress;
  /** There when iPXE was asked for it. */
  readonly uuid?: string;
  /** What somebody, or the clock, chose in the menu. */
  readonly choice?: string;
  /** `http://10.77.0.1:8080`, no slash at the end: how this machine reaches us. */
  readonly httpBaseUrl: string;
  /** `https://10.77.0.1:8443` */
  readonly apiUrl: string;
}

export interface ChosenBootScript {
  readonly script: string;
  /** For the journal. */
  readonly sentence: string;
}

/** Which boot script a machine gets. */
export function chooseBootScript(context: BootScriptContext, request: BootScriptRequest): ChosenBootScript {
  const { httpBaseUrl, mac, uuid, choice } = request;
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
  if (target.kind === 'local-disk') return localDiskScript('it is told to');
  const station = stationOf(context.state, machine);
  if (target.kind === 'runtime') return runtimeScript(context, request, target.purpose, station);

  const others = offeredSystems(context.configuration, context.paths.boot);
  switch (choice) {
    case undefined:
      return menuScript(context, request, others, station);
    case 'recovery':
      return runtimeScript(context, request, 'recovery', station);
    case 'local-disk':
      return localDiskScript('chosen in its boot menu, or nobody pressed a key');
    default: {
      const other = others.find(({ name }) => name === choice);
      if (other === undefined)
        return refusal(`there is no ${JSON.stringify(choice.slice(0, 40))} in the menu any more`);
      const system = other.system((file) => `${httpBaseUrl}${otherFilePath(file)}`);
      return {
        script: formatOtherSystemScript(other.title, system),
        sentence: `chose ${other.title} in its boot menu`,
      };
    }
  }
}

function menuScript(
  { configuration: { boot } }: BootScriptContext,
  { httpBaseUrl, mac, uuid }: BootScriptRequest,
  others: readonly OfferedSystem[],
  station: Station | undefined,
): ChosenBootScript {
  const name = station?.name ?? mac;
  const script = formatBootMenu({
    title: name,
    items: menuItems(others, name),
    withoutKey: boot.withoutKey,
    seconds: boot.menuSeconds,
    scriptUrl: `${httpBaseUrl}${bootScriptPath(mac)}${uuid === undefined ? '' : `&uuid=${uuid}`}`,
  });
  return { script, sentence: `gets the boot menu of ${name} for ${boot.menuSeconds} s` };
}

function localDiskScript(why: string): ChosenBootScript {
  return {
    script: formatLocalDiskScript('starting from the local disk'),
    sentence: `starts from its local disk: ${why}`,
  };
}

function runtimeScript(
  { paths }: BootScriptContext,
  { httpBaseUrl, apiUrl, mac }: BootScriptRequest,
  purpose: 'recovery' | 'enrolment',
  station: Station | undefined,
): ChosenBootScript {
  const pack = station?.name ?? universalPack;
  if (!hasPack(paths, pack)) {
    return refusal(`there is no driver pack for ${pack}. On the server: rekindle driver-pack build ${pack}`);
  }
  const title = station === undefined ? purpose : `${purpose} of ${station.name}`;
  const script = formatRuntimeScript({
    title,
    kernelUrl: `${httpBaseUrl}/boot/vmlinuz`,
    runtimeUrl: `${httpBaseUrl}/boot/runtime.img`,
    driverPackUrl: `${httpBaseUrl}/boot/packs/${pack}.img`,
    commandLine: [
      `${commandLineKeys.server}=${apiUrl}`,
      `${commandLineKeys.bootMac}=${mac}`,
      `${commandLineKeys.purpose}=${purpose}`,
      ...(station?.passport.standIn === true ? [commandLineKeys.standIn] : []),
      ...formatStationNetwork(station?.network ?? {}),
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
