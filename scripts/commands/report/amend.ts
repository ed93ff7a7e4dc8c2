import { userInfo } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { RekindleError } from '#base/errors.ts';
import type { RunReport } from '#contract/run-report.ts';
import { closeFirstBoot } from '#pxe-server/hooks/hook-store.ts';
import { amendReport, reportFileName } from '#pxe-server/jobs/amend-report.ts';
import { readSigningKey } from '#pxe-server/site/site-keys.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState, type State } from '#pxe-server/site/state.ts';

interface Where {
  readonly site: string;
  readonly by?: string;
}

/** Somebody did what the checklist says. @throws RekindleError `not-found`: there is no such item */
export async function tick(file: string, item: string, options: Where & { note?: string }): Promise<string> {
  const by = options.by ?? userInfo().username;
  const note = options.note ?? '';
  const report = await change(file, options, (_state, amend) =>
    amend((found, at) => {
      const wanted = found.checklist.find(({ id }) => id === item);
      if (wanted === undefined) {
        throw new RekindleError('not-found', `There is no ${item} on the checklist of ${found.station}`, {
          next: `It has: ${found.checklist.map(({ id }) => id).join(', ') || 'nothing'}.`,
        });
      }
      if (wanted.ticked !== null) return undefined;
      const checklist = found.checklist.map((each) =>
        each.id === item ? { ...each, ticked: { at, by, note } } : each,
      );
      return { report: { ...found, checklist }, amendment: { by, what: `ticked ${item}` } };
    }),
  );
  const open = report.checklist.filter(({ ticked }) => ticked === null).map(({ id }) => id);
  return open.length === 0 ? 'The checklist is done.' : `Still open: ${open.join(', ')}.`;
}

/** Nobody waits for the first boot any more; its key is no longer good. */
export async function close(file: string, options: Where & { reason: string }): Promise<string> {
  const by = options.by ?? userInfo().username;
  const { reason } = options;
  const report = await change(file, options, (state, amend) =>
    amend((found) => {
      if (found.state === 'closed') return undefined;
      closeFirstBoot(state, found.jobId);
      return { report: { ...found, state: 'closed' }, amendment: { by, what: `closed: ${reason}` } };
    }),
  );
  const silent = report.machine.hooks.filter(
    ({ hook, result }) =>
      result.outcome === 'staged' &&
      !report.hooks.some(({ hook: id, phase }) => id === hook && phase === 'first-boot'),
  );
  return silent.length === 0
    ? 'The report is closed.'
    : `The report is closed. Unverified for ever: ${silent.map(({ hook }) => hook).join(', ')}.`;
}

type Change = Parameters<typeof amendReport>[3];
type Amend = (change: (report: RunReport, at: string) => ReturnType<Change>) => RunReport;

async function change(
  file: string,
  { site }: Where,
  work: (state: State, amend: Amend) => RunReport,
): Promise<RunReport> {
  if (basename(file) !== reportFileName) {
    throw new RekindleError('usage', `Changing ${file}: a report of the site is a file ${reportFileName}`, {
      next: 'Name the one below reports/ of the site folder.',
    });
  }
  const paths = sitePaths(site);
  const state = openState(paths.state);
  try {
    const key = await readSigningKey(paths);
    const now = new Date();
    return work(state, (make) =>
      amendReport(state, key, dirname(resolve(file)), (found) => make(found, now.toISOString()), now),
    );
  } finally {
    state.close();
  }
}
