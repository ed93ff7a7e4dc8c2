import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownReportEvidence } from '#contract/domain-files.ts';
import type { FirstBootReport } from '#contract/first-boot.ts';
import type { ServiceContext } from '#pxe-server/serve/service-context.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { openReportedJob, type ReportedJob } from './reported-job.ts';
import { somePassport } from './some-passport.ts';
import { writeImage } from './store-images.ts';

/** A domain controller that was restored, and whose first boot is waited for. Its plan asks `localhost` about it. */
export async function openReportedController(context: ServiceContext): Promise<ReportedJob> {
  const { state, signingKey, store, paths } = context;
  addStation(state, { name: 'DC1', passport: somePassport(), by: 'test', role: 'domain-controller' });
  mkdirSync(store, { recursive: true });
  const { utc } = await writeImage(store, signingKey, {
    ...{ station: 'DC1', utc: '20261120T020000Z', blocks: [Buffer.alloc(64, 1)] },
  });
  for (const name of ['ca.pem', 'password'])
    writeFileSync(join(paths.folder, name), 'any\n', { mode: 0o600 });
  const directory = { domain: 'lab.example', controllers: ['localhost'], ca: 'ca.pem', account: 'svc' };
  const hook = {
    ...{ id: 'state', kind: 'domain-controller', directory: { ...directory, passwordFile: 'password' } },
    systemState: { from: 'restored-from-backup-value', accepted: 'not supported by Microsoft' },
  };
  return openReportedJob(context, 'DC1', [hook], {
    ...{ imageName: `DC1_${utc}`, stationRole: 'domain-controller' },
  });
}

/** What its agent says when everything went well. */
export function lastWordOf({ jobId }: Pick<ReportedJob, 'jobId'>): FirstBootReport {
  return {
    ...{ formatVersion: 1, jobId, sequence: 1, last: true, agent: 'windows' },
    steps: [
      {
        ...{ hook: 'state', startedAt: new Date().toISOString(), seconds: 1 },
        result: { outcome: 'unverified', sentence: 'The partners are asked.' },
        evidence: [
          { name: ownReportEvidence.event1109, value: 'yes' },
          { name: ownReportEvidence.event2095, value: 'no' },
          { name: ownReportEvidence.notWritable, value: 'no' },
          { name: ownReportEvidence.restoreCount, value: '1' },
          { name: ownReportEvidence.sysvol, value: 'from-partner' },
        ],
      },
    ],
  };
}
