import type { BootDecider, BootTarget, Machine } from '../boot/boot-decider.ts';
import { bootFileFor } from '../boot/boot-file.ts';
import { isSignedGrub } from '../boot/loader-name.ts';
import type { NetbootClient } from './client.ts';
import { type AnswerMode, answerShape } from './firmware-quirks.ts';
import { type Ignored, ignore } from './ignored.ts';
import { optionCode } from './option-code.ts';
import { text } from './option-values.ts';
import type { DhcpPacket } from './packet.ts';
import type { DhcpSettings } from './settings.ts';

/** The part of a reply that makes firmware boot; the same in every mode but for the quirks. */
export interface BootAnswer {
  readonly kind: 'boot-answer';
  readonly bootFile: string;
  /** For the journal: why it is not the file that the firmware fetched last. */
  readonly secondTry?: string;
  readonly options: readonly (readonly [number, Uint8Array])[];
}

/** What is said of a reply beside its bytes. */
export function saidOf({ bootFile, secondTry }: BootAnswer): Pick<BootAnswer, 'bootFile' | 'secondTry'> {
  return secondTry === undefined ? { bootFile } : { bootFile, secondTry };
}

export function machineOf(client: NetbootClient): Machine {
  const { mac, firmwareKind, uuid } = client;
  return uuid === undefined ? { mac, firmwareKind } : { mac, firmwareKind, uuid };
}

/** Asks the decider; `shape` says whose quirks apply (port 4011 always answers like a proxy). */
export function bootAnswer(
  request: DhcpPacket,
  client: NetbootClient,
  decider: BootDecider,
  settings: DhcpSettings,
  shape: AnswerMode,
): BootAnswer | Ignored {
  const machine = machineOf(client);
  const target = decider.targetFor(machine);
  if (target.kind === 'not-for-us') return ignore(target.reason);
  if (machine.firmwareKind === 'uefi-http-x64' && isSignedGrub(machine.firmwareKind, target.loader)) {
    return ignore('signed GRUB loads by TFTP only: set this firmware to PXE boot instead of HTTP boot');
  }
  return formatBootAnswer(request, machine, target, settings, shape);
}

function formatBootAnswer(
  request: DhcpPacket,
  machine: Machine,
  target: BootTarget,
  settings: DhcpSettings,
  shape: AnswerMode,
): BootAnswer {
  const { vendorClass, vendorSpecific, ipxe } = answerShape(shape, machine.firmwareKind);
  const options: [number, Uint8Array][] = [];
  if (vendorClass !== undefined) options.push([optionCode.vendorClass, text(vendorClass)]);
  if (vendorSpecific !== undefined) options.push([optionCode.vendorSpecific, vendorSpecific]);
  if (ipxe !== undefined) options.push([optionCode.ipxe, ipxe]);
  const bootFile = bootFileFor(machine, target, settings.httpBaseUrl);
  // Some firmware reads the fields of the packet only, some the options only; those who ask for the options get both.
  // They end with NUL because ROMs are known that do not look at the length.
  const wanted = new Set(request.options.get(optionCode.parameterRequestList));
  if (wanted.has(optionCode.tftpServerName)) {
    options.push([optionCode.tftpServerName, text(`${settings.tftpServer}\0`)]);
  }
  if (wanted.has(optionCode.bootFileName)) {
    options.push([optionCode.bootFileName, text(`${bootFile}\0`)]);
  }
  const { secondTry } = target;
  return { kind: 'boot-answer', bootFile, options, ...(secondTry === undefined ? {} : { secondTry }) };
}
