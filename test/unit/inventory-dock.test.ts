import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { takePassport } from '#runtime/inventory/inventory.ts';
import type { NetworkUp } from '#runtime/network/bring-up.ts';
import { bringUpNetwork } from '#runtime/steps/start-machine.ts';
import { layOutSysfs } from '#test/support/captured-sysfs.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** A docking station is not the machine: its card counts for nothing, and that is said. */

test('a card that the kernel calls removable is none of the passport; a fixed one is', async () => {
  const root = mkdtempSync(join(tmpdir(), 'dock-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  layOutSysfs(readFileSync('test/support/captured-sysfs/q35-nvme-4kn.tsv', 'utf8'), root);
  const cards = async () => (await takePassport({ root })).networkCards.map(({ mac }) => mac);
  const says = (word: string) =>
    writeFileSync(join(root, 'sys/bus/pci/devices/0000:00:03.0/removable'), `${word}\n`);
  says('fixed');
  expect(await cards()).toEqual(['52:54:00:00:02:01']);
  says('removable');
  expect(await cards()).toEqual([]);
});

test.each([
  ['52:54:00:00:00:01', /^eth0 \(52:54:00:00:00:01\) has the address 10\.77\.0\.20\.$/],
  ['00:e0:4c:00:00:07', /none of this machine's own cards, but a docking station's or a USB adapter's/],
])('the network comes up on %s', async (mac, sentence) => {
  const network: NetworkUp = { interfaceName: 'eth0', mac, address: '10.77.0.20', by: 'dhcp' } as NetworkUp;
  const found = await bringUpNetwork.run(
    {
      machine: { bringUpBootCard: async () => network } as never,
      boot: { bootMac: mac, network: {}, server: 'https://10.77.0.1:8443' } as never,
      drivers: { kind: 'none', withoutDriver: [] } as never,
      passport: somePassport(),
    },
    { say: () => {}, progress: () => {} },
  );
  expect(found.sentence).toMatch(sentence);
});
