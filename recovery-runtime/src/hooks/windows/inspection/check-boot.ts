import type { HiveEvidence } from './evidence.ts';
import { type Finding, fatal, right, unknown, warning } from './finding.ts';
import { isDevice, type LocatedWindows } from './locate-windows.ts';

type Found = LocatedWindows & { kind: 'found' };

/** The way from the firmware to Windows' loader: boot manager, store, devices, files. Pure. */
export function checkBoot({ boot, loader, windows }: Found): Finding[] {
  if (boot === null)
    return [fatal('boot-partition', 'No partition has a Windows boot manager with its store (BCD).')];
  const { bootStore } = boot;
  const there = `partition ${boot.volume.partition.number}`;
  const findings: Finding[] = [
    bootStore.bootManager.present
      ? right('boot-manager', `The boot manager ${bootStore.bootManager.path} is on ${there}.`)
      : fatal('boot-manager', `The boot manager ${bootStore.bootManager.path} is missing on ${there}.`),
    checkHive('bcd-hive', `The boot store ${bootStore.path}`, bootStore.hive),
  ];
  const { store } = bootStore;
  if (store === null) return findings;
  findings.push(
    store.bootManagerDevice !== null && isDevice(store.bootManagerDevice, boot)
      ? right('bcd-boot-manager', `The boot store's own boot manager is on ${there}.`)
      : deviceFinding(
          'bcd-boot-manager',
          'The boot store says that its boot manager',
          store.bootManagerDevice,
        ),
  );
  if (loader === null) {
    const sentence = `The boot store has ${store.loaders.length} loaders, and none of them is its default.`;
    return [...findings, fatal('bcd-default', sentence)];
  }
  const name = loader.description || loader.identifier;
  const others = store.loaders.length - 1;
  findings.push(
    right(
      'bcd-default',
      others === 0
        ? `"${name}" starts.`
        : `"${name}" starts when nobody chooses; ${others} more can be chosen.`,
    ),
  );
  const target = `partition ${windows.volume.partition.number}`;
  for (const [check, what, device] of [
    ['bcd-device', 'file', loader.device],
    ['bcd-os-device', 'Windows', loader.osDevice],
  ] as const) {
    findings.push(
      isDevice(device, windows)
        ? right(check, `"${name}" looks for its ${what} on ${target}, where it is.`)
        : deviceFinding(check, `"${name}" looks for its ${what} on a partition that`, device),
    );
  }
  const present = windows.installation.loaders[loader.path.toLowerCase()] === true;
  findings.push(
    present
      ? right('loader-file', `Its loader ${loader.path} is there.`)
      : fatal('loader-file', `Its loader ${loader.path} is missing on ${target}.`),
  );
  if (loader.systemRoot.toLowerCase() !== windows.installation.systemRoot.toLowerCase()) {
    findings.push(
      fatal(
        'system-root',
        `"${name}" starts ${loader.systemRoot}; Windows is in ${windows.installation.systemRoot}.`,
      ),
    );
  }
  findings.push(
    loader.safeBoot === null
      ? right('safe-boot', 'It starts in normal mode.')
      : warning('safe-boot', `It starts in safe mode (${loader.safeBoot}) until that is taken back.`),
  );
  return findings;
}

function deviceFinding(check: string, sentence: string, device: Parameters<typeof isDevice>[0]): Finding {
  if (device === null) return fatal(check, `${sentence} is nowhere: the element is missing.`);
  if (device.kind === 'other')
    return unknown(check, `${sentence} is found at the start (device of type ${device.type}).`);
  const where =
    device.kind === 'gpt'
      ? `partition ${device.partitionGuid} of disk ${device.diskGuid}`
      : `byte ${device.startByte} of the disk with signature ${device.diskSignature.toString(16).padStart(8, '0')}`;
  return fatal(check, `${sentence} is not there: ${where}.`);
}

export function checkHive(check: string, what: string, hive: HiveEvidence): Finding {
  switch (hive.kind) {
    case 'clean':
      return right(check, `${what} is a whole registry hive.`);
    case 'replayable':
      return right(
        check,
        `${what} is whole with ${hive.writes} write(s) from its logs, which Windows adds at its start.`,
      );
    case 'absent':
      return fatal(check, `${what} is missing.`);
    case 'refused':
      return fatal(check, `${what} cannot be used: ${hive.why}.`);
  }
}
