import { type FirmwareKind, isIpxe } from '../boot/firmware-kind.ts';
import { bootServerPort } from '../dhcp/destination.ts';
import type { DhcpEvent } from '../dhcp/dhcp-event.ts';
import type { BootStage } from '../journal/boot-stage.ts';
import type { Journal } from '../journal/journal.ts';
import { machineAt, rememberMachine } from '../journal/neighbour-table.ts';
import type { TftpEvent } from '../tftp/tftp-event.ts';
import type { Logger } from './log.ts';

/** What DHCP and TFTP did, for the log, and as sentences for the journal of the machine. */

export function recordDhcpEvent(journal: Journal, log: Logger, event: DhcpEvent): void {
  switch (event.event) {
    case 'listening':
      log.info(event, 'dhcp listening');
      return;
    case 'failed':
      log.error({ doing: event.doing, err: event.error }, 'dhcp failed');
      return;
    case 'ignored': {
      // Everybody's ordinary DHCP traffic; only netboot requests are worth a line.
      const { mac, firmwareKind, request, reasons, otherServer } = event;
      log[firmwareKind === undefined ? 'debug' : 'info'](event, 'dhcp ignored');
      // What a station sends to the address server is an ordinary part of its boot.
      if (mac === undefined || firmwareKind === undefined) return;
      const sentence =
        otherServer === undefined
          ? `${request} (${firmwareKind}) gets no answer: ${reasons.join('; ')}`
          : `takes its address from the DHCP server ${otherServer}`;
      journal.record({ machine: mac, stage: stageOf(firmwareKind), sentence });
      return;
    }
    case 'unserved': {
      const { mac, request, platforms } = event;
      log.info(event, 'dhcp unserved');
      // One line a round: what it asks after that says the same.
      if (request !== 'DISCOVER') return;
      const what =
        platforms.length === 0
          ? ', but does not say what it is (option 93)'
          : ` as ${platforms.join(' or ')}`;
      const sentence = `asks to boot${what}: there is no loader for it, only for BIOS and x64 UEFI`;
      journal.record({ machine: mac, stage: 'firmware', sentence });
      return;
    }
    case 'released':
      log.info(event, 'dhcp released');
      return;
    case 'declined': {
      log.warn(event, 'dhcp declined');
      const sentence = `refuses the address ${event.address}: it found somebody else using it`;
      journal.record({ machine: event.mac, stage: stageOf(event.firmwareKind), sentence });
      return;
    }
    case 'conflict': {
      const { mac, firmwareKind, address, user } = event;
      log.warn(event, 'dhcp conflict');
      const sentence = `gets no offer of ${address}: the network card ${user} answers for it. Free that address, or give this station another one`;
      journal.record({ machine: mac, stage: stageOf(firmwareKind), sentence });
      return;
    }
    case 'replied': {
      const { mac, firmwareKind, request, reply, address, bootFile, relay, networkInterface, to } = event;
      if (address !== undefined) rememberMachine(address, mac);
      // In proxy mode another server gave its address, and the boot server's answer goes there.
      if (to.port === bootServerPort) rememberMachine(to.address, mac);
      log.info(event, 'dhcp replied');
      const said = listed(firmwareKind, networkInterface, relay && `through relay ${relay}`);
      const what = listed(reply, address && `address ${address}`, bootFile && `boot file ${bootFile}`);
      const sentence = `${request}${said === '' ? '' : ` (${said})`} gets ${what}`;
      const stage = stageOf(firmwareKind);
      // Once a start: what follows the offer says the same file.
      if (reply === 'OFFER' && event.secondTry !== undefined)
        journal.record({ machine: mac, stage, sentence: event.secondTry });
      journal.record({ machine: mac, stage, sentence });
      return;
    }
  }
}

/** Those that are there, with commas. */
function listed(...parts: readonly (string | undefined)[]): string {
  let list = '';
  for (const part of parts) {
    if (part !== undefined) list += list === '' ? part : `, ${part}`;
  }
  return list;
}

function stageOf(firmwareKind: FirmwareKind | undefined): BootStage {
  if (firmwareKind === undefined) return 'runtime';
  return isIpxe(firmwareKind) ? 'ipxe' : 'firmware';
}

export function recordTftpEvent(journal: Journal, log: Logger, event: TftpEvent): void {
  switch (event.event) {
    case 'listening':
      log.info(event, 'tftp listening');
      return;
    case 'failed':
      log.error({ doing: event.doing, err: event.error }, 'tftp failed');
      return;
    case 'ignored':
      log.debug(event, 'tftp ignored');
      return;
    case 'refused':
      log.info(event, 'tftp refused');
      journal.record({
        machine: machineOfClient(event.client),
        stage: 'loader',
        sentence: `asks for ${event.fileName.slice(0, 128)} by TFTP: refused, ${event.reason}`,
      });
      return;
    case 'finished':
      log.info(event, 'tftp finished');
      journal.record({
        machine: machineOfClient(event.client),
        stage: stageOfFile(event.fileName),
        sentence: sentenceOf(event),
      });
  }
}

function sentenceOf({
  fileName,
  what = fileName,
  outcome,
  bytes,
  milliseconds,
}: Extract<TftpEvent, { event: 'finished' }>): string {
  switch (outcome.kind) {
    case 'done':
      return `gets ${what} by TFTP: ${bytes} bytes in ${milliseconds} ms`;
    case 'unconfirmed':
      return `gets ${fileName} by TFTP: all ${bytes} bytes sent, the last answer did not come`;
    case 'probed':
      return `asks the size of ${fileName} by TFTP`;
    case 'aborted':
      return `breaks off ${fileName} by TFTP: error ${outcome.code} ${outcome.message.slice(0, 128)}`;
    case 'timed-out':
      return `went silent during ${fileName} by TFTP, after ${outcome.acknowledged} of ${bytes} bytes`;
  }
}

/**
 * GRUB and PXELINUX get by TFTP what iPXE gets by HTTP. PXELINUX asks for its first module before its configuration,
 * and for all others after it.
 */
function stageOfFile(fileName: string): BootStage {
  const isBootFile = /^\/*(boot|grub|pxelinux\.cfg)\/|(?<!ldlinux)\.c32$/.test(fileName);
  return isBootFile ? 'boot-files' : 'loader';
}

/** The machine behind `address:port`. */
export function machineOfClient(client: string): string {
  return machineAt(client.replace(/:\d+$/, ''));
}
