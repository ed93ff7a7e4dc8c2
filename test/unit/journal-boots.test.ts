import { describe, expect, it } from 'vitest';
import { type BootStage, groupBoots } from '#pxe-server/journal/boot-stage.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { parseNeighbourTable } from '#pxe-server/journal/neighbour-table.ts';
import { openState } from '#pxe-server/site/state.ts';

const entries = (...stages: BootStage[]) => stages.map((stage, number) => ({ stage, number }));
const sizes = (...stages: BootStage[]) => groupBoots(entries(...stages)).map((boot) => boot.length);

describe('boot conversations', () => {
  it('keeps repeated requests of one boot together', () => {
    expect(sizes('firmware', 'firmware', 'loader', 'ipxe', 'boot-files', 'runtime')).toEqual([6]);
  });

  it('sees a machine that was started again', () => {
    expect(sizes('firmware', 'loader', 'ipxe', 'boot-files', 'runtime', 'firmware', 'loader')).toEqual([
      5, 2,
    ]);
    expect(sizes('ipxe', 'boot-files', 'ipxe', 'boot-files')).toEqual([2, 2]);
    expect(sizes('firmware', 'loader', 'firmware', 'loader')).toEqual([2, 2]);
  });

  it('does not take a file that ends after the runtime spoke for a new boot', () => {
    expect(sizes('ipxe', 'boot-files', 'runtime', 'boot-files', 'runtime')).toEqual([5]);
  });
});

describe('journal', () => {
  it('keeps the last boots of each machine', () => {
    const journal = createJournal(openState(':memory:'), 2);
    const mac = '52:54:00:00:00:01';
    for (let boot = 0; boot < 5; boot++) {
      journal.record({ machine: mac, stage: 'ipxe', sentence: `asks ${boot}` });
      journal.record({ machine: mac, stage: 'boot-files', sentence: `gets ${boot}` });
    }
    journal.record({ machine: '52:54:00:00:00:02', stage: 'ipxe', sentence: 'other' });
    expect(journal.boots(mac).map((boot) => boot.map(({ sentence }) => sentence))).toEqual([
      ['asks 3', 'gets 3'],
      ['asks 4', 'gets 4'],
    ]);
  });

  it('does not grow without end by a machine that only fetches boot files', () => {
    const state = openState(':memory:');
    const journal = createJournal(state, 2, 100);
    for (let at = 0; at < 3000; at++)
      journal.record({ machine: '10.77.0.20', stage: 'boot-files', sentence: `gets ${at}` });
    expect(journal.boots('10.77.0.20').flat()).toHaveLength(100);
  });
});

describe('neighbour table', () => {
  it('reads complete entries of /proc/net/arp', () => {
    const text = [
      'IP address       HW type     Flags       HW address            Mask     Device',
      '10.77.0.20       0x1         0x2         52:54:00:00:00:01     *        br0',
      '10.77.0.21       0x1         0x0         00:00:00:00:00:00     *        br0',
      '',
    ].join('\n');
    expect([...parseNeighbourTable(text)]).toEqual([['10.77.0.20', '52:54:00:00:00:01']]);
  });
});
