/**
 * One of our servers on loopback for a scenario, as a process whose processor time can be read. Argument:
 * {kind: 'tftp' | 'http', file, port}. Prints `ready`; ends when its standard input does.
 */
import { statSync } from 'node:fs';
import http from 'node:http';
import type { BootDecider } from '#pxe-server/boot/boot-decider.ts';
import { configurationSchema } from '#pxe-server/config/configuration.ts';
import { createBootApp } from '#pxe-server/http/boot-app.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { createMetrics } from '#pxe-server/serve/metrics.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { startTftpServer } from '#pxe-server/tftp/tftp-server.ts';

const { kind, file, port } = JSON.parse(process.argv[2] ?? '') as {
  kind: 'tftp' | 'http';
  file: string;
  port: number;
};
const address = '127.0.0.1';
if (kind === 'tftp') {
  const files = new Map([['file', { path: file, size: statSync(file).size }]]);
  await startTftpServer({ address, port, files, onEvent: () => undefined });
} else {
  const state = openState(':memory:');
  const decider: BootDecider = {
    targetFor: () => ({ kind: 'menu' }),
    addressFor: () => ({ kind: 'enrolment-pool' }),
  };
  const app = createBootApp({
    state,
    decider,
    paths: { ...sitePaths('/nowhere'), runtimeImage: file },
    configuration: configurationSchema.parse({ interface: 'lo' }),
    metrics: createMetrics(),
    journal: createJournal(state, { keptBoots: 20 }),
    loaders: new Map(),
    onError: (doing, error) => console.error(doing, error),
  });
  http.createServer(app).listen(port, address);
}
process.stdout.write('ready\n');
process.stdin.resume().once('end', () => process.exit(0));
