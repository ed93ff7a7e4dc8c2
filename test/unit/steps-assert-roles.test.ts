import { describe, expect, test } from 'vitest';
import { type ImageManifest, stationNameSchema } from '#images/format/image-manifest.ts';
import { warnOfRole } from '#images/format/role-contradiction.ts';
import { assertNoControllerHookNeeded, assertRole } from '#runtime/steps/assert-roles.ts';

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

type Role = ImageManifest['stationRole'];
type Found = NonNullable<ImageManifest['windows']>['role'] | 'no Windows';
const imageOf = (stationRole: Role, found: Found) => ({
  ...{ station, stationRole },
  ...(found === 'no Windows' ? {} : { windows: { ...windows, role: found } }),
});
const setRole = (role: Role) =>
  expect.objectContaining({
    code: 'verification-failed',
    next: expect.stringContaining(`rekindle station set DC-1 --role ${role}`),
  });

describe('over the network registration, manifest and the Windows in the image have to agree', () => {
  test.each<[Role, Role, Found, Role]>([
    // Enrolled without --role: the plan is empty, and nothing else would stop it.
    ['client', 'client', 'domain-controller', 'domain-controller'],
    ['engineering-station', 'server', 'domain-controller', 'domain-controller'],
    ['domain-controller', 'domain-controller', 'server', 'server'],
    ['domain-controller', 'domain-controller', 'workstation', 'server'],
  ])('registered as %s, then as %s, the Windows a %s: refused', (now, then, found, wanted) => {
    expect(() => assertRole({ stationRole: now }, imageOf(then, found))).toThrow(setRole(wanted));
  });

  test('registered as something else when the image was taken: refused, and to be captured again', () => {
    for (const found of ['domain-controller', 'unknown', 'no Windows'] as const)
      expect(() => assertRole({ stationRole: 'domain-controller' }, imageOf('client', found))).toThrow(
        expect.objectContaining({ next: expect.stringContaining('capture it again') }),
      );
    expect(() => assertRole({ stationRole: 'client' }, imageOf('domain-controller', 'server'))).toThrow();
  });

  test.each<[Role, Role, Found]>([
    ['client', 'client', 'no Windows'],
    ['client', 'server', 'workstation'],
    ['server', 'server', 'unknown'],
    ['domain-controller', 'domain-controller', 'domain-controller'],
    ['domain-controller', 'domain-controller', 'unknown'],
    ['domain-controller', 'domain-controller', 'no Windows'],
  ])('registered as %s, then as %s, the Windows a %s: restored', (now, then, found) => {
    assertRole({ stationRole: now }, imageOf(then, found));
  });

  test('whoever takes an image that would be refused is warned', () => {
    expect(warnOfRole(imageOf('client', 'domain-controller'))).toMatch(
      /^DC-1 is registered as client, .* domain controller: .*--role domain-controller/,
    );
    expect(warnOfRole(imageOf('domain-controller', 'server'))).toMatch(/that of a server: .*--role server/);
    expect(warnOfRole(imageOf('client', 'workstation'))).toBeUndefined();
    expect(warnOfRole(imageOf('client', 'unknown'))).toBeUndefined();
    expect(warnOfRole(imageOf('domain-controller', 'no Windows'))).toBeUndefined();
  });
});
