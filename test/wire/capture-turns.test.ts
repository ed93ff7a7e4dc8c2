import { expect, onTestFinished, test } from 'vitest';
import { takeTurn } from '#images/stores/capture-turn.ts';
import { addStation, setTerminalBus } from '#pxe-server/stations/station-registry.ts';
import { addUser } from '#pxe-server/users/user-store.ts';
import { type ApiService, startApiService } from '#test/support/api-on-loopback.ts';
import { somePassport } from '#test/support/some-passport.ts';

const password = 'correct horse battery';

function passportOf(number: number) {
  const passport = somePassport();
  return {
    ...passport,
    system: {
      ...passport.system,
      uuid: `11111111-2222-4333-8444-55555555555${number}`,
      serial: `S-${number}`,
    },
    networkCards: passport.networkCards.map((card, at) => ({
      ...card,
      mac: `52:54:00:00:0${number}:0${at}`,
    })),
  };
}

async function siteWith(
  configuration: string,
  stations: readonly string[],
): Promise<{ service: ApiService; capture(station: string): ReturnType<ApiService['ask']> }> {
  const service = await startApiService(`interface: lo\n${configuration}`);
  onTestFinished(() => service[Symbol.asyncDispose]());
  const { state } = service.context;
  await addUser(state, { name: 'erika', role: 'image-operator', password });
  const tokens = new Map<string, string>();
  for (const [number, name] of stations.entries()) {
    addStation(state, { name, passport: passportOf(number), by: 'test' });
    const json = { technician: 'erika', password, passport: passportOf(number) };
    tokens.set(name, String((await service.ask('POST', '/log-on', { json })).json['token']));
  }
  return {
    service,
    capture: (station) =>
      service.ask('POST', '/captures', {
        token: tokens.get(station) ?? '',
        json: { station, passport: passportOf(stations.indexOf(station)) },
      }),
  };
}

const report = {
  formatVersion: 1,
  runId: '0d9d4a5e-6a0e-4c7a-9a51-2d7f0c1c7d11',
  purpose: 'recovery',
  outcome: 'aborted',
  exitCode: 130,
  reasons: [],
  passport: somePassport(),
  differences: [],
  confirmed: [],
  disks: [],
  unverified: [],
  steps: [],
};

test('a second station is told who captures, and may when that one has reported', async () => {
  const { service, capture } = await siteWith('', ['OS-SRV-1A', 'OS-SRV-1B']);
  const first = await capture('OS-SRV-1A');
  expect(first.status).toBe(200);
  const refused = await capture('OS-SRV-1B');
  expect(refused.status).toBe(409);
  expect(refused.json).toMatchObject({
    code: 'another-capture',
    message: expect.stringMatching(/the capture of OS-SRV-1A, started by erika at 20.*, has its turn/),
  });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  // The command on the server has to wait as well.
  const holder = { id: 'x', station: 'X', who: 'root', since: new Date().toISOString(), silenceSeconds: 60 };
  expect((await takeTurn(service.context.store, holder, { oneAtATime: true, bufferSeconds: 0 })).kind).toBe(
    'busy',
  );

  // The same station again: its machine was restarted, or the reply was lost.
  const again = await capture('OS-SRV-1A');
  expect(again.status).toBe(200);
  expect((await capture('OS-SRV-1B')).status).toBe(409);
  const { jobId, token } = again.json as { jobId: string; token: string };
  const sent = await service.ask('POST', `/jobs/${jobId}/report`, { token, json: report });
  expect(sent.status).toBe(204);
  expect((await capture('OS-SRV-1B')).status).toBe(200);
});

test('the time buffer of the site is kept', async () => {
  const { service, capture } = await siteWith('captures:\n  bufferMinutes: 30\n', ['OS-SRV-1A', 'OS-SRV-1B']);
  const { jobId, token } = (await capture('OS-SRV-1A')).json as { jobId: string; token: string };
  await service.ask('POST', `/jobs/${jobId}/report`, { token, json: report });
  expect((await capture('OS-SRV-1B')).json).toMatchObject({
    code: 'another-capture',
    message: expect.stringContaining('the next one may start at'),
  });
});

test('where the policy allows it, stations capture at the same time', async () => {
  const { capture } = await siteWith('captures:\n  oneAtATime: false\n', ['OS-SRV-1A', 'OS-SRV-1B']);
  expect((await capture('OS-SRV-1A')).status).toBe(200);
  expect((await capture('OS-SRV-1B')).status).toBe(200);
});

test('a station on the terminal bus is told its limit, the others the policy', async () => {
  const { service, capture } = await siteWith('captures:\n  oneAtATime: false\n  maxLoadPercent: 50\n', [
    'OS-SRV-1A',
    'OS-CLIENT-7',
  ]);
  setTerminalBus(service.context.state, 'OS-CLIENT-7', true);
  expect((await capture('OS-SRV-1A')).json['limits']).toEqual({ loadPercent: 50 });
  expect((await capture('OS-CLIENT-7')).json['limits']).toEqual({
    bytesPerSecond: 2_560_000,
    loadPercent: 50,
  });
});
