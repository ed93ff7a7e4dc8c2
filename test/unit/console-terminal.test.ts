import { describe, expect, test } from 'vitest';
import { createRunView } from '#runtime/console/run-view.ts';
import { createTerminal } from '#runtime/console/terminal.ts';
import type { RunEvent } from '#runtime/engine/step-events.ts';
import { createPipedPort, renderScreen } from '#test/support/terminal-screen.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('terminal', () => {
  test('a question on every port, answered at any; what is typed is echoed on all', async () => {
    const [vga, serial] = [createPipedPort('tty1'), createPipedPort('ttyS0')];
    const answer = createTerminal([vga, serial]).ask({ prompt: 'Technician: ' });
    serial.type('mei\x7fier\r');
    expect(await answer).toEqual({ kind: 'line', text: 'meier', from: 'ttyS0' });
    for (const port of [vga, serial]) expect(renderScreen(port.written())).toEqual(['Technician: meier', '']);
  });
  test('a password leaves no trace on any port', async () => {
    const [vga, serial] = [createPipedPort('tty1'), createPipedPort('ttyS0')];
    const answer = createTerminal([vga, serial]).ask({ prompt: 'Password: ', hidden: true });
    vga.type('s3cret\r');
    expect(await answer).toMatchObject({ text: 's3cret' });
    for (const port of [vga, serial]) expect(port.written()).toBe('Password: \r\n');
  });
  test('keys pressed before the question answer nothing', async () => {
    const port = createPipedPort();
    const terminal = createTerminal([port]);
    port.type('OS-SRV-1A\r');
    await settle();
    const answer = terminal.ask({ prompt: 'Type OS-SRV-1A to start the restore: ', timeoutSeconds: 0.05 });
    expect(await answer).toEqual({ kind: 'timed-out' });
  });
  test('Ctrl-C cancels', async () => {
    const port = createPipedPort();
    const answer = createTerminal([port]).ask({ prompt: '? ' });
    port.type('abc\x03');
    expect(await answer).toEqual({ kind: 'cancelled' });
  });
  test('without keys, as a command in the background, it answers nothing and still prints', async () => {
    const port = createPipedPort();
    const terminal = createTerminal([port]);
    port.input.end();
    await settle();
    expect(await terminal.ask({ prompt: '? ' })).toEqual({ kind: 'closed' });
    terminal.print(['the plan']);
    expect(port.written()).toContain('the plan');
  });
  test('one lost port takes nothing with it; the last one ends the question', async () => {
    const [vga, serial] = [createPipedPort('tty1'), createPipedPort('ttyS0')];
    const terminal = createTerminal([vga, serial]);
    const answer = terminal.ask({ prompt: '? ' });
    serial.output.destroy(new Error('EIO'));
    await settle();
    terminal.print(['still here']);
    expect(vga.written()).toContain('still here');
    vga.input.destroy(new Error('EIO'));
    expect(await answer).toEqual({ kind: 'closed' });
    expect(await terminal.ask({ prompt: '? ' })).toEqual({ kind: 'closed' });
  });
  test('an answer longer than the line is not taken', async () => {
    const port = createPipedPort();
    const answer = createTerminal([port]).ask({ prompt: 'Station name to enrol: ' });
    port.type(`${'x'.repeat(200)}\r`);
    await answer;
    expect(Math.max(...renderScreen(port.written()).map((line) => line.length))).toBe(79);
  });
});

describe('run view', () => {
  const event = (
    state: RunEvent['state'],
    uptimeSeconds: number,
    more: Partial<RunEvent> = {},
  ): RunEvent => ({
    step: 'restore-disks',
    title: 'Restoring',
    sentence: 'Restoring',
    at: '2026-11-20T02:00:00.000Z',
    state,
    uptimeSeconds,
    ...more,
  });
  const show = (events: readonly RunEvent[]) => {
    const port = createPipedPort();
    const view = createRunView(createTerminal([port]));
    for (const each of events) view(each);
    return port;
  };

  test('a long restore is one moving line, a standing line every 10 s, at most two repaints a second', () => {
    const total = 400 * 2 ** 20;
    const progress = Array.from({ length: 25 * 20 }, (_, tick) =>
      event('progress', 100 + tick / 20, { doneBytes: (tick / 500) * total, totalBytes: total }),
    );
    const port = show([event('started', 100), ...progress, event('done', 125, { sentence: 'Restored.' })]);
    expect(port.written().split('\r').length).toBeLessThan(2 * 25 + 10);
    expect(renderScreen(port.written())).toMatchInlineSnapshot(`
      [
        "[#####.........]   40 %  160 MiB of 400 MiB  16 MiB/s  15 s left",
        "[###########...]   80 %  320 MiB of 400 MiB  16 MiB/s  5 s left",
        "[ ok ] Restored.",
        "",
      ]
    `);
  });
  test('what is said meanwhile stands, what failed is marked', () => {
    const port = show([
      event('started', 1),
      event('progress', 2, { sentence: 'Waiting for the link of eth0; check its cable.' }),
      event('failed', 3, { sentence: 'bringing up the network card eth0: no link within 60 s' }),
    ]);
    expect(renderScreen(port.written())).toMatchInlineSnapshot(`
      [
        "       Waiting for the link of eth0; check its cable.",
        "[FAIL] bringing up the network card eth0: no link within 60 s",
        "",
      ]
    `);
  });
});
