import { expect, test } from 'vitest';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { assertNoControllerHookNeeded } from '#runtime/steps/assert-roles.ts';

const station = stationNameSchema.parse('DC-1');
const mark = (...otherControllers: string[]) => ({
  invocationId: '11111111-2222-4333-8444-555555555555',
  highestCommittedUsn: '1',
  otherControllers,
});
const windows = {
  ...{ product: '', edition: '', build: '', computerName: 'DC-1', domain: 'plant.example', sqlInstances: [] },
  role: 'domain-controller',
} as const;

test('without a service a controller that has partners, or may have, is not restored', () => {
  const refused = (manifest: object) =>
    expect(() => assertNoControllerHookNeeded({ station, stationRole: 'server', ...manifest }));
  refused({ stationRole: 'domain-controller' }).toThrow('domain controller DC-1');
  refused({ stationRole: 'domain-controller', domainController: mark('DC-2') }).toThrow('domain controller');
  refused({ windows }).toThrow('domain controller');
});

test('the sole controller of a forest, and every other station, is', () => {
  assertNoControllerHookNeeded({ station, stationRole: 'domain-controller', domainController: mark() });
  assertNoControllerHookNeeded({ station, stationRole: 'server', windows: { ...windows, role: 'server' } });
});
