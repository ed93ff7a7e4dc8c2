import { commandLineKeys, kernelWords } from '#contract/command-line.ts';
import { formatStationNetwork } from '#contract/station-network.ts';
import type { BootDecider } from '../boot/boot-decider.ts';
import type { ChosenBoot, Refusal } from '../boot/chosen-boot.ts';
import type { MacAddress } from '../boot/mac-address.ts';
import { offeredSystems } from '../boot/other-systems.ts';
import type { Configuration } from '../config/configuration.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { State } from '../site/state.ts';
import { stationOf } from './registry-decider.ts';
import type { Station } from './station.ts';
import { hasPack, universalPack } from './station-pack.ts';

export interface BootChoiceContext {
  readonly state: State;
  readonly paths: SitePaths;
  readonly decider: BootDecider;
  readonly configuration: Configuration;
}

/** What a loader says when it asks what to boot. */
export interface BootQuestion {
  readonly mac: MacAddress;
  /** There when iPXE was asked for it. */
  readonly uuid?: string;
  /** What somebody, or the clock, chose in the menu. */
  readonly choice?: string;
  /** `https://10.77.0.1:8443`: how this machine reaches us. */
  readonly apiUrl: string;
}

/** What a machine boots at this moment, and a sentence about it for the journal. */
export function chooseBoot(
  context: BootChoiceContext,
  question: BootQuestion,
): { readonly boot: ChosenBoot; readonly sentence: string } {
  const { mac, uuid, choice } = question;
  const machine = { mac, ...(uuid === undefined ? {} : { uuid }), firmwareKind: 'ipxe-uefi' as const };
  const target = context.decider.targetFor(machine);
  if (target.kind === 'not-for-us') {
    const reason = `this machine (${mac}) is not known here: ${target.reason}`;
    if (uuid !== undefined) return refused({ kind: 'refusal', reason });
    return {
      boot: { kind: 'uuid-wanted', reason },
      sentence: 'is asked for its UUID: no station has its MAC',
    };
  }
  if (target.kind === 'local-disk') return localDisk('it is told to');
  const station = stationOf(context.state, machine);
  if (target.kind === 'runtime') return started(runtimeOf(context, question, target.purpose, station));

  const others = offeredSystems(
    context.configuration,
    context.paths.boot,
    station === undefined ? {} : { station: station.name },
  );
  switch (choice) {
    case undefined: {
      const { withoutKey, menuSeconds: seconds } = context.configuration.boot;
      const name = station?.name ?? mac;
      const recovery = runtimeOf(context, question, 'recovery', station);
      return {
        boot: { kind: 'menu', station: name, recovery, others, withoutKey, seconds },
        sentence: `gets the boot menu of ${name} for ${seconds} s`,
      };
    }
    case 'recovery':
      return started(runtimeOf(context, question, 'recovery', station));
    case 'local-disk':
      return localDisk('chosen in its boot menu, or nobody pressed a key');
    default: {
      const system = others.find(({ name }) => name === choice);
      if (system !== undefined)
        return { boot: { kind: 'other', system }, sentence: `chose ${system.title} in its boot menu` };
      const reason = `there is no ${JSON.stringify(choice.slice(0, 40))} in the menu any more`;
      return refused({ kind: 'refusal', reason });
    }
  }
}

function runtimeOf(
  { paths }: BootChoiceContext,
  { apiUrl, mac }: BootQuestion,
  purpose: 'recovery' | 'enrolment',
  station: Station | undefined,
): Extract<ChosenBoot, { kind: 'runtime' }> | Refusal {
  const pack = station?.name ?? universalPack;
  if (!hasPack(paths, pack)) {
    const reason = `there is no driver pack for ${pack}. On the server: rekindle driver-pack build ${pack}`;
    return { kind: 'refusal', reason };
  }
  return {
    kind: 'runtime',
    title: station === undefined ? purpose : `${purpose} of ${station.name}`,
    pack,
    commandLine: [
      `${commandLineKeys.server}=${apiUrl}`,
      `${commandLineKeys.bootMac}=${mac}`,
      `${commandLineKeys.purpose}=${purpose}`,
      ...(station?.passport.standIn === true ? [commandLineKeys.standIn] : []),
      ...formatStationNetwork(station?.network ?? {}),
      'console=tty0',
      'console=ttyS0,115200',
      ...kernelWords,
    ],
  };
}

function started(boot: ReturnType<typeof runtimeOf>) {
  return boot.kind === 'refusal' ? refused(boot) : { boot, sentence: `gets the boot script: ${boot.title}` };
}

function localDisk(why: string) {
  return { boot: { kind: 'local-disk' } as const, sentence: `starts from its local disk: ${why}` };
}

function refused(boot: Refusal) {
  return { boot, sentence: `is sent to its local disk: ${boot.reason}` };
}
