import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { errorChain } from '#base/errors.ts';
import { runTimedCommand } from '#images/snapshot/timed-command.ts';

test('a command that ends well is over when it is over', async () => {
  await expect(runTimedCommand('pre-freeze', 'true', 5)).resolves.toBeUndefined();
});

test('one that fails is told with its status and its last words', async () => {
  const error = await runTimedCommand('pre-freeze', 'echo the database is busy >&2; exit 4', 5).catch(
    (e) => e,
  );
  expect(errorChain(error)).toEqual([
    'running the pre-freeze command "echo the database is busy >&2; exit 4": it ended with status 4',
    'the database is busy',
  ]);
});

test('one that hangs is ended in time, with everything that it started', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'command-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'child');
  const started = performance.now();
  const error = await runTimedCommand('pre-freeze', `sleep 1000 & echo $! >${file}; wait`, 0.5).catch(
    (e) => e,
  );
  expect(error.message).toContain('it had not ended after 0.5 s');
  expect(performance.now() - started).toBeLessThan(5000);
  await sleep(200);
  const state = `/proc/${readFileSync(file, 'utf8').trim()}/stat`;
  // Gone, or a zombie that waits for its new parent.
  expect(!existsSync(state) || / Z /.test(readFileSync(state, 'utf8'))).toBe(true);
});
