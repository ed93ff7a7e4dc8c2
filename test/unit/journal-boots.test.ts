import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BootStage, groupBoots } from '#pxe-server/journal/boot-stage.ts';
import { createJournal, type Journal } from '#pxe-server/journal/journal.ts';
import { parseNeighbourTable } from '#pxe-server/journal/neighbour-table.ts';
import { openState, type State } from '#pxe-server/site/state.ts';

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
    const journal = createJournal(openState(':memory:'), { keptBoots: 2 });
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
    const journal = createJournal(state, { keptBoots: 2, keptEntries: 100 });
    for (let at = 0; at < 3000; at++)
      journal.record({ machine: '10.77.0.20', stage: 'boot-files', sentence: `gets ${at}` });
    expect(journal.boots('10.77.0.20').flat()).toHaveLength(100);
  });
});

describe('a journal that cannot be written', () => {
  const entry = (sentence: string) => ({ machine: '52:54:00:00:00:01', stage: 'ipxe', sentence }) as const;
  const sentencesOf = (journal: Journal) =>
    journal
      .boots('52:54:00:00:00:01')
      .flat()
      .map((each) => each.sentence);

  it('throws nothing at whoever reports, and has everything once it can be written again', () => {
    const state = openState(':memory:');
    const failures: unknown[] = [];
    const journal = createJournal(state, { keptBoots: 20, onFailure: (error) => failures.push(error) });
    state.exec("CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'disk is full'); END");
    for (let number = 0; number < 12_000; number++) journal.record(entry(`asks ${number}`));
    expect(() => journal.flush()).not.toThrow();
    expect(String(failures)).toContain('disk is full');
    state.exec('DROP TRIGGER full');
    const written = sentencesOf(journal);
    expect(written.at(-1)).toBe('asks 11999');
  });

  it('does not wait for another process that writes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rekindle-journal-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [state, other] = [1, 2].map(() => openState(join(folder, 'state'), { create: true })) as [
      State,
      State,
    ];
    const journal = createJournal(state, { keptBoots: 20 });
    other.exec('BEGIN IMMEDIATE');
    journal.record(entry('asks'));
    const startedAt = performance.now();
    journal.flush();
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(sentencesOf(journal)).toEqual([]);
    other.exec('COMMIT');
    await expect.poll(() => sentencesOf(journal)).toEqual(['asks']);
    for (const each of [state, other]) each.close();
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
