import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseSecretKey } from '#images/format/minisign.ts';
import { macOf } from '#pxe-server/hooks/first-boot-key.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { createLog } from '#pxe-server/serve/log.ts';
import type { ServiceContext } from '#pxe-server/serve/service-context.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { lastWordOf, openReportedController } from '#test/support/reported-controller.ts';
import type { ReportedJob } from '#test/support/reported-job.ts';
import { type ServedSite, startServedSite, startServing, stopServing } from '#test/support/served-site.ts';

/**
 * The service loses its power, or is stopped, while it looks after a first boot: the agent was told that its last
 * report has arrived, and has removed itself. Tests follow each other.
 */

let served: ServedSite<'station'>;
let service: ChildProcessWithoutNullStreams | undefined;
let silent: ChildProcessWithoutNullStreams;
let job: ReportedJob;

/** Takes connections on the port of LDAPS and says nothing, as a controller that hangs; tells each connection. */
const hangingController = `require('node:net').createServer(() => console.log('asked')).listen(636, () => console.log('listens'))`;

beforeAll(async () => {
  served = await startServedSite({ members: { station: { address: '10.77.0.20/24' } } });
  silent = served.lan.members.server.spawn(process.execPath, ['-e', hangingController]);
  await once(silent.stdout, 'data');
  const paths = sitePaths(served.site);
  const state = openState(paths.state);
  const context = {
    ...{ state, paths, store: join(served.site, 'images'), log: createLog('error') },
    signingKey: parseSecretKey(readFileSync(paths.imageSigningKey, 'utf8')),
    journal: createJournal(state, { keptBoots: 5 }),
  } as unknown as ServiceContext;
  job = await openReportedController(context);
  context.journal.flush();
  state.close();
});
afterAll(async () => {
  service?.kill('SIGKILL');
  silent.kill('SIGKILL');
  await served[Symbol.asyncDispose]();
});

it('killed while it asks: the report was taken, and stays open', async () => {
  const asked = once(silent.stdout, 'data');
  const body = JSON.stringify(lastWordOf(job));
  const file = join(served.folder, 'report.json');
  writeFileSync(file, body);
  const { stdout } = await served.lan.members.station.run('curl', [
    ...['-sS', '--data-binary', `@${file}`, '-H', `Rekindle-Mac: ${macOf(job.key, body)}`],
    `http://10.77.0.1:8080/first-boot/${job.jobId}`,
  ]);
  expect(stdout).toBe(macOf(job.key, 'received 1 true'));
  await asked;
  process.kill(served.pid, 'SIGKILL');
  await expect.poll(() => existsSync(`/proc/${served.pid}`), { timeout: 10_000 }).toBe(false);
  expect(job.report().state).toBe('awaiting-first-boot');
});

it('started again it asks again, and a stop meanwhile leaves it to the next start', async () => {
  const asked = once(silent.stdout, 'data');
  service = await startServing(served.lan.members.server, served.site);
  await asked;
  expect(await stopServing(service, 'SIGTERM')).toBe(0);
  service = undefined;
  expect(job.report().state).toBe('awaiting-first-boot');
});

it('the next start closes the report with what can be seen', async () => {
  silent.kill('SIGKILL');
  service = await startServing(served.lan.members.server, served.site);
  await expect.poll(() => job.report().state, { timeout: 10_000 }).toBe('closed');
  const { hooks, amendments } = job.report();
  expect(hooks.find(({ phase }) => phase === 'first-boot')?.result).toMatchObject({ outcome: 'unverified' });
  expect(amendments.map(({ by }) => by)).toEqual(['first boot (windows)', 'the service']);
});
