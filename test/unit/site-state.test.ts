import { expect, test } from 'vitest';
import { openState } from '#pxe-server/site/state.ts';

test('a service of an older version, still running, writes its step events into the state', () => {
  const state = openState(':memory:');
  state.exec(`INSERT INTO jobs (id, kind, station, how, technician, machine, opened_at)
    VALUES ('job', 'restore', 'OS-SRV-1A', 'armed', 'erika', '{}', 0)`);
  const insert = state.prepare('INSERT INTO job_events (job, number, event) VALUES (?, ?, ?)');
  expect(insert.run('job', 1, '{}').changes).toBe(1);
});
