import { describeShare } from '#contract/share.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { createTerminal } from '#runtime/console/terminal.ts';
import type { BootVariables } from '#runtime/firmware/boot-entries.ts';
import { openRestoredSystem } from '#runtime/hooks/open-restored-system.ts';
import type { DiskDevice } from '#runtime/inventory/disks.ts';
import { uptimeSeconds } from '#runtime/uptime.ts';
import type { Machine, SiteKeys } from '#runtime/workflow-machine.ts';
import { runSession, type SessionResult } from '#runtime/workflow-session.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';
import { createPipedPort, type PipedPort } from './terminal-screen.ts';

export interface FileMachineParts {
  readonly site: SiteKeys;
  readonly passport: HardwarePassport;
  readonly disks: readonly DiskDevice[];
  /** UEFI variables; absent: started by BIOS. */
  readonly firmware?: { variables: BootVariables };
  /** What a share looks like when it is mounted. */
  readonly shareFolder?: string;
}

/** A machine whose disks are files, on a network that is up: everything else of the workflow is the real thing. */
export function fileMachine({ site, passport, disks, firmware, shareFolder }: FileMachineParts): Machine {
  return {
    now: () => new Date(),
    uptimeSeconds,
    readSiteKeys: async () => site,
    readTicket: async () => undefined,
    openMedium: async () => undefined,
    loadDrivers: async () => ({
      kind: 'loaded',
      station: null,
      modules: [],
      withoutDriver: [],
      otherModels: [],
    }),
    bringUpBootCard: async ({ bootMac: mac }) => ({
      mac,
      by: 'dhcp',
      interfaceName: 'lo',
      address: '127.0.0.1',
      prefixLength: 8,
      router: undefined,
    }),
    openRestoredSystem,
    readFirstBootFile,
    // A mounted share is a folder; the mount itself is shares.test.ts's.
    async mountShare(share) {
      if (shareFolder === undefined) throw new Error('this machine mounts no share');
      return {
        folder: shareFolder,
        description: describeShare(share),
        hung: false,
        async [Symbol.asyncDispose]() {},
      };
    },
    takeInventory: async () => ({
      passport,
      disks,
      networkDevices: [],
      bootTrust: { secureBoot: 'not-supported', kernelLockdown: 'none' },
    }),
    bootEntries:
      firmware === undefined
        ? undefined
        : {
            read: async () => firmware.variables,
            async writeEntry(entry) {
              const others = firmware.variables.entries.filter(({ number }) => number !== entry.number);
              firmware.variables = { ...firmware.variables, entries: [...others, entry] };
            },
            async writeOrder(order) {
              firmware.variables = { ...firmware.variables, order };
            },
          },
    runShell: async () => {},
    restart: async () => {},
    powerOff: async () => {},
  };
}

export interface Sitting {
  readonly port: PipedPort;
  readonly result: Promise<SessionResult>;
}

/** Starts the whole program on a machine, with a person's keyboard and screen as pipes. */
export function sitDown(
  machine: Machine,
  boot: {
    readonly server: string;
    readonly purpose: 'recovery' | 'enrolment';
    readonly imageFrom?: 'service' | 'medium';
    readonly dryRun?: boolean;
  },
): Sitting {
  const port = createPipedPort();
  const result = runSession({
    boot: {
      ...{ dryRun: false, imageFrom: 'service', standIn: false, network: {} },
      ...boot,
      bootMac: '52:54:00:00:00:01',
    },
    machine,
    terminal: createTerminal([port]),
    firstLineUptimeSeconds: uptimeSeconds(),
  });
  return { port, result };
}
