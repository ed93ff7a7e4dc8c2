import { lstatSync } from 'node:fs';
import { copyFile, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { sentenceOf } from '#contract/hook-result.ts';
import { hookRecordsOf, type RunReport, runReportSchema } from '#contract/run-report.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { restoreNote, writeHookPlan } from './domain/demo-hook-plan.ts';
import { stationSecrets } from './domain/demo-membership.ts';
import type { AccountDates, StationInDomain } from './domain/station-in-domain.ts';
import { withMounted } from './mounted-partition.ts';
import type { CapturedImage, Proof } from './recovery-rehearsal.ts';
import type { RehearsalLab } from './rehearsal-lab.ts';
import type { StageClock } from './stage-clock.ts';
import { changedFiles } from './system-files.ts';

/**
 * A station whose domain does not trust its image any more: hooks see it before the restore, put an offline-join blob
 * onto the restored disk, and the station's first boot takes it. What is proved is proved at the controller and on the
 * disk, not by what station and service say.
 */
export interface StaleTrust {
  /** @throws RekindleError when the technician was not told that the domain will not trust the station */
  checkScreen(text: string): void;
  /** What the hooks changed on the restored system, before it has started: that, and nothing else. */
  proveSystem(disk: string): Promise<Proof[]>;
  /** Until the running station has reported and the service has closed the report. */
  waitForFirstBoot(say: (sentence: string) => void): Promise<void>;
  /** The station is off again. */
  proveTrust(disk: string): Promise<Proof[]>;
}

/** Agent and steps; its unit; the link that starts it. */
const agentFiles = [
  'etc/rekindle',
  'etc/systemd/system/multi-user.target.wants/rekindle-first-boot.service',
  'etc/systemd/system/rekindle-first-boot.service',
];
/** Some calls of `net` in an emulated machine; a step that has to be tried again waits for 15 s. */
const firstBootSeconds = 240;

/** Puts the hook plan into the site, and lets the station change its machine password after its image. */
export async function makeTrustStale(
  lab: RehearsalLab,
  inDomain: StationInDomain,
  clock: StageClock,
  image: CapturedImage,
): Promise<StaleTrust> {
  const { station, site } = lab;
  const system = rangeOfSystem(lab);
  const { before, ofImage } = await clock.run(
    'The station changes its machine password, as every 30 days: its image is stale',
    async (say) => {
      await writeHookPlan(site.directory, station.hostname, inDomain.domain.directory);
      const shown = (await site.rekindle('hook', 'show', station.hostname)).trim().split('\n').slice(1);
      say(`hooks: ${shown.map((line) => line.trim().replaceAll(/\s+/g, ' ')).join('; ')}`);
      await inDomain.rotate();
      const ofImage = await trustOfDisk(image.reference);
      say(`the secure channel with the machine password of the image: ${ofImage}`);
      return { before: await inDomain.readAccount(), ofImage };
    },
  );

  async function trustOfDisk(disk: string): Promise<'trusted' | 'not trusted'> {
    const secrets = path.join(path.dirname(disk), 'secrets.tdb');
    await withMounted(disk, system, (root) => copyFile(path.join(root, stationSecrets), secrets), 'read');
    return (await inDomain.proveTrustOf(secrets)).secureChannel ? 'trusted' : 'not trusted';
  }

  return {
    checkScreen: (text) => {
      if (/will not trust/.test(text.replaceAll(/\s+/g, ' '))) return;
      throw new RekindleError('verification-failed', 'the technician was not told of the broken trust');
    },
    proveSystem: async (disk) => [
      {
        what: 'what hooks and agent changed on the system before it started',
        expected: [...agentFiles, path.dirname(restoreNote)].sort().join(', '),
        found: (await changedFiles(disk, image.reference, system)).join(', '),
      },
    ],
    waitForFirstBoot: async (say) => {
      const report = await waitForReport(sitePaths(site.directory).reports, station.hostname);
      for (const { phase, title, result } of hookRecordsOf(report)) {
        say(`${phase}: ${title}: ${result.outcome}: ${sentenceOf(result)}`);
      }
    },
    proveTrust: async (disk) => {
      // First: asking with the station's password is a logon too.
      const after = await inDomain.readAccount();
      return [
        {
          what: 'secure channel to the controller with the machine password on the disk, before and after',
          expected: 'not trusted, then trusted',
          found: `${ofImage}, then ${await trustOfDisk(disk)}`,
        },
        {
          what: "the controller's own record of the station's account since the repair",
          expected: 'new password, new logon',
          found: newsOf(before, after),
        },
        {
          what: 'what is left on the station of the first-boot agent',
          expected: '',
          found: await withMounted(
            disk,
            system,
            (root) =>
              agentFiles
                .filter((file) => lstatSync(path.join(root, file), { throwIfNoEntry: false }))
                .join(', '),
            'read',
          ),
        },
      ];
    },
  };
}

const rangeOfSystem = ({ station }: RehearsalLab) => ({
  startByte: station.partitions.SYSTEM.firstByte,
  sizeBytes: station.partitions.SYSTEM.byteLength,
});

function newsOf(before: AccountDates, after: AccountDates): string {
  const later = (name: keyof AccountDates): boolean =>
    (after[name]?.getTime() ?? 0) > (before.passwordLastSet?.getTime() ?? Number.POSITIVE_INFINITY);
  return `${later('passwordLastSet') ? 'new' : 'old'} password, ${later('lastLogon') ? 'new' : 'no'} logon`;
}

/** The station's newest report, when its first boot has closed it. */
async function waitForReport(reports: string, station: string): Promise<RunReport> {
  const end = Date.now() + firstBootSeconds * 1000;
  for (;;) {
    const name = (await readdir(path.join(reports, station))).sort().at(-1) ?? '';
    const text = await readFile(path.join(reports, station, name, 'report.json'), 'utf8');
    const report = runReportSchema.parse(JSON.parse(text));
    if (report.state === 'closed') return report;
    if (Date.now() > end) {
      throw new RekindleError('verification-failed', `${station} has not reported from its first boot`, {
        cause: new Error(`its report is still ${report.state} after ${firstBootSeconds} s`),
      });
    }
    await sleep(500);
  }
}
