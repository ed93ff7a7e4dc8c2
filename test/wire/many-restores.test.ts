import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { chunkIdOf } from '#images/format/chunk-id.ts';
import { openStore } from '#images/stores/open-store.ts';
import { arm } from '#pxe-server/stations/arming.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { startApiService } from '#test/support/api-on-loopback.ts';
import { somePassport } from '#test/support/some-passport.ts';
import { writeImage } from '#test/support/store-images.ts';

const stations = 10;
const chunks = 24;

test('pain 11: ten stations read their images over TLS at once: every chunk right, nobody left behind, others still answered', async () => {
  await using service = await startApiService();
  const { context, ca, port } = service;
  const { state } = context;
  const blocks = Array.from({ length: chunks }, () => randomBytes(1 << 20));
  const utc = '20261120T020000Z';
  const jobs = await Promise.all(
    Array.from({ length: stations }, async (_, number) => {
      const station = `OS-SRV-${number}`;
      const passport = machine(number);
      addStation(state, { name: station, passport, by: 'test' });
      await writeImage(context.store, context.signingKey, { station, utc, blocks });
      const image = `${station}@${utc}`;
      arm(state, {
        station,
        image,
        until: new Date(Date.now() + 60_000),
        by: 'test',
        acceptsReplaced: false,
      });
      const { armed } = (await service.ask('POST', '/armed', { json: { passport } })).json as {
        armed: { token: string };
      };
      const asked = { token: armed.token, json: { station, image, passport } };
      return String((await service.ask('POST', '/jobs', asked)).json['token']);
    }),
  );

  let slowestAnswer = 0;
  let restoring = true;
  const others = (async () => {
    while (restoring) {
      const startedAt = performance.now();
      await service.ask('GET', '/health');
      slowestAnswer = Math.max(slowestAnswer, performance.now() - startedAt);
      await pause(100);
    }
  })();
  const restores = Promise.all(
    jobs.map(async (token) => {
      const startedAt = performance.now();
      const url = `https://127.0.0.1:${port}/api/v1/store`;
      const store = openStore({ kind: 'http', url, token, tls: { ca, serverName: 'rekindle' } });
      try {
        for (const block of blocks) {
          const read = await store.get(chunkIdOf(block));
          expect(createHash('sha256').update(read).digest('hex')).toBe(chunkIdOf(block));
        }
      } finally {
        await store.close?.();
      }
      return (performance.now() - startedAt) / 1000;
    }),
  );
  const seconds = await restores.finally(() => {
    restoring = false;
  });
  await others;
  const [fastest, slowest] = [Math.min(...seconds), Math.max(...seconds)];
  process.stdout.write(
    `ten restores: ${fastest.toFixed(1)} to ${slowest.toFixed(1)} s, others wait ${slowestAnswer.toFixed(0)} ms\n`,
  );
  expect(slowest / fastest).toBeLessThan(2);
  expect(slowestAnswer).toBeLessThan(3000);
});

/** Machines of the same kind, each with its own numbers. */
function machine(number: number) {
  const passport = somePassport();
  const digit = String(number);
  return {
    ...passport,
    system: {
      ...passport.system,
      serial: `PP7-100${digit}`,
      uuid: `11111111-2222-4333-8444-55555555555${digit}`,
    },
    board: { ...passport.board, serial: `B70-100${digit}` },
    networkCards: passport.networkCards.map((card, at) => ({ ...card, mac: `52:54:00:00:1${digit}:0${at}` })),
    disks: passport.disks.map((disk) => ({
      ...disk,
      serial: `SSD-100${digit}`,
      wwn: `naa.500000000000010${digit}`,
    })),
  };
}
