import { expect, test } from 'vitest';
import { type Ipv4Address, ipv4 } from '#pxe-server/boot/ipv4-address.ts';
import type { MacAddress } from '#pxe-server/boot/mac-address.ts';
import { createAddressConflicts, parseArpScan } from '#pxe-server/dhcp/address-conflicts.ts';

const [asker, other] = ['52:54:00:00:00:01', '52:54:00:00:00:02'] as MacAddress[] as [MacAddress, MacAddress];
const [a, b] = [ipv4('10.77.0.20'), ipv4('10.77.0.21')];

function watch(users: ReadonlyMap<Ipv4Address, MacAddress>) {
  const asked: string[] = [];
  const failures: unknown[] = [];
  const conflicts = createAddressConflicts(
    async (addresses) => {
      asked.push(addresses.join(' '));
      return users;
    },
    (error) => failures.push(error),
  );
  return { asked, failures, conflicts };
}

test('questions of one moment share one probe; what was free is not asked for again in the same boot', async () => {
  const { asked, conflicts } = watch(new Map([[b, other]]));
  expect(await Promise.all([conflicts.userOf(a, asker), conflicts.userOf(b, asker)])).toEqual([
    undefined,
    other,
  ]);
  expect(asked).toEqual([`${a} ${b}`]);
  expect(await conflicts.userOf(a, asker)).toBeUndefined();
  expect(asked).toHaveLength(1);
  conflicts.forget(a);
  await conflicts.userOf(a, asker);
  expect(asked).toHaveLength(2);
  // One that was in use is asked for each time: somebody may have freed it.
  await conflicts.userOf(b, asker);
  expect(asked).toHaveLength(3);
});

test('a flood of questions starts four probes at once; the rest share the next', async () => {
  const ends: (() => void)[] = [];
  const asked: number[] = [];
  const conflicts = createAddressConflicts(
    (addresses) => {
      asked.push(addresses.length);
      return new Promise((resolve) => ends.push(() => resolve(new Map())));
    },
    () => undefined,
  );
  const questions: Promise<unknown>[] = [];
  for (let number = 1; number <= 9; number++) {
    questions.push(conflicts.userOf(ipv4(`10.77.0.${number}`), asker));
    await new Promise((resolve) => setTimeout(resolve, 12));
  }
  expect(asked).toEqual([1, 1, 1, 1]);
  ends.shift()?.();
  await expect.poll(() => asked).toEqual([1, 1, 1, 1, 5]);
  for (const end of ends) end();
  expect(await Promise.all(questions)).toEqual(new Array(9).fill(undefined));
});

test('the station itself is no conflict', async () => {
  const { conflicts } = watch(new Map([[a, asker]]));
  expect(await conflicts.userOf(a, asker)).toBeUndefined();
});

test('a probe that fails is reported, and the station gets its address', async () => {
  const failures: unknown[] = [];
  const conflicts = createAddressConflicts(
    () => Promise.reject(new Error('no arp-scan')),
    (error) => failures.push(error),
  );
  expect(await conflicts.userOf(a, asker)).toBeUndefined();
  expect(failures).toEqual([new Error('no arp-scan')]);
});

test('reads what arp-scan prints', () => {
  expect(parseArpScan('10.77.0.21\t26:6e:8b:77:2c:b1\n10.77.0.21\t26:6e:8b:77:2c:b2 (DUP: 2)\n')).toEqual(
    new Map([[b, '26:6e:8b:77:2c:b1']]),
  );
});
