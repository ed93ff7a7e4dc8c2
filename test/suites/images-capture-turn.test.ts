import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { describeThisProcess } from '#base/this-process.ts';
import { waitForTurn } from '#images/capture/wait-for-turn.ts';
import { type TurnHolder, takeTurn, turnOf } from '#images/stores/capture-turn.ts';
import { captureImageOf, somePassportDisk } from '#test/support/capture-image-of.ts';
import { MiB, makeBlankDisk, makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';

let folder: ReturnType<typeof makeTemporaryFolder>;
let store: string;
beforeEach(() => {
  folder = makeTemporaryFolder();
  store = path.join(folder.path, 'store');
  fs.mkdirSync(store);
});
afterEach(() => folder[Symbol.dispose]());

const policy = { oneAtATime: true, bufferSeconds: 0 };
const holder = (id: string, more: Partial<TurnHolder> = {}): TurnHolder => ({
  id,
  station: 'OS-SRV-1A',
  who: 'meier',
  since: '2026-11-20T02:00:00.000Z',
  silenceSeconds: 600,
  ...more,
});
const turnFile = (): string => path.join(store, 'captures/.turn');
const makeOlder = (file: string, seconds: number): void => {
  const { mtimeMs } = fs.statSync(file);
  fs.utimesSync(file, mtimeMs / 1000 - seconds, mtimeMs / 1000 - seconds);
};

describe('a turn', () => {
  test('is one capture, who and since when is said to the next', async () => {
    const first = await takeTurn(store, holder('a'), policy);
    expect(await takeTurn(store, holder('b', { station: 'OS-SRV-2' }), policy)).toMatchObject({
      kind: 'busy',
      sentence: 'the capture of OS-SRV-1A, started by meier at 2026-11-20T02:00:00.000Z, has its turn',
    });
    if (first.kind !== 'taken') throw new Error('not taken');
    await first.turn.release();
    expect((await takeTurn(store, holder('b'), policy)).kind).toBe('taken');
    expect(await first.turn.beat()).toBe(false);
    // What is released late must not take it from somebody else.
    await first.turn.release();
    expect((await takeTurn(store, holder('c'), policy)).kind).toBe('busy');
  });

  test('is not asked for where the policy allows several', async () => {
    await takeTurn(store, holder('a'), policy);
    expect((await takeTurn(store, holder('b'), { ...policy, oneAtATime: false })).kind).toBe('taken');
  });

  test('after its end the next one waits for the buffer, and not longer', async () => {
    const buffer = { ...policy, bufferSeconds: 300 };
    const first = await takeTurn(store, holder('a'), buffer);
    if (first.kind === 'taken') await first.turn.release();
    expect(await takeTurn(store, holder('b'), buffer)).toMatchObject({
      kind: 'busy',
      sentence: expect.stringContaining('the next one may start at'),
    });
    const ended = path.join(store, 'captures/.turn-ended');
    makeOlder(ended, 290);
    expect(await takeTurn(store, holder('b'), buffer)).toMatchObject({ kind: 'busy' });
    makeOlder(ended, 11);
    expect((await takeTurn(store, holder('b'), buffer)).kind).toBe('taken');
  });

  test('that was given up leaves no buffer', async () => {
    const buffer = { ...policy, bufferSeconds: 300 };
    await takeTurn(store, holder('a'), buffer);
    await turnOf(store, 'a').giveUp();
    expect((await takeTurn(store, holder('b'), buffer)).kind).toBe('taken');
  });

  test('of a holder that is silent ends, and its last sign of life was its end', async () => {
    await takeTurn(store, holder('a'), policy);
    makeOlder(turnFile(), 590);
    expect((await takeTurn(store, holder('b'), policy)).kind).toBe('busy');
    await turnOf(store, 'a').beat();
    makeOlder(turnFile(), 590);
    expect((await takeTurn(store, holder('b'), policy)).kind).toBe('busy');
    makeOlder(turnFile(), 20);
    expect((await takeTurn(store, holder('b'), { ...policy, bufferSeconds: 3600 })).kind).toBe('busy');
    expect((await takeTurn(store, holder('b'), { ...policy, bufferSeconds: 500 })).kind).toBe('taken');
  });

  test('that is dead is taken by one of many who wait for it', async () => {
    for (let round = 0; round < 10; round++) {
      fs.rmSync(path.join(store, 'captures'), { recursive: true, force: true });
      await takeTurn(store, holder('a'), policy);
      makeOlder(turnFile(), 601);
      const many = Array.from({ length: 20 }, (_, at) => takeTurn(store, holder(`waits ${at}`), policy));
      const taken = (await Promise.all(many)).filter(({ kind }) => kind === 'taken');
      expect(taken).toHaveLength(1);
      expect(fs.readdirSync(path.join(store, 'captures')).sort()).toEqual(['.turn', '.turn-ended']);
    }
  });

  test('whose file was cut off by a power cut does not block for ever', async () => {
    await takeTurn(store, holder('a'), policy);
    fs.truncateSync(turnFile(), 20);
    expect(await takeTurn(store, holder('b'), policy)).toMatchObject({
      sentence: 'a capture has its turn, of which nothing is known',
    });
    makeOlder(turnFile(), 601);
    expect((await takeTurn(store, holder('b'), policy)).kind).toBe('taken');
  });

  test('of a process that was killed ends at once', async () => {
    const child = spawn(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { waitForTurn } from ${JSON.stringify(path.resolve('images/src/capture/wait-for-turn.ts'))};
       globalThis.turn = await waitForTurn(${JSON.stringify({ store, station: 'OS-SRV-2', who: 'meier', policy })});
       console.log('taken'); setInterval(() => {}, 1000);`,
    ]);
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    expect(await takeTurn(store, holder('b'), policy)).toMatchObject({
      kind: 'busy',
      sentence: expect.stringContaining('OS-SRV-2'),
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await takeTurn(store, holder('b'), policy)).kind).toBe('taken');
  });

  test('of a process on another machine is not judged by process numbers', async () => {
    await takeTurn(
      store,
      holder('a', { process: { ...describeThisProcess(), pid: 999_999, boot: 'another' } }),
      policy,
    );
    expect((await takeTurn(store, holder('b'), policy)).kind).toBe('busy');
  });

  test('a store that is not there is refused, never made', async () => {
    await expect(takeTurn(path.join(folder.path, 'unmounted'), holder('a'), policy)).rejects.toThrow(
      'unmounted',
    );
    expect(fs.existsSync(path.join(folder.path, 'unmounted'))).toBe(false);
  });

  test('is never two processes at once', async () => {
    const counter = path.join(folder.path, 'counter');
    fs.writeFileSync(counter, '0');
    const code = `
      import fs from 'node:fs';
      import { takeTurn } from ${JSON.stringify(path.resolve('images/src/stores/capture-turn.ts'))};
      for (let round = 0; round < 20; ) {
        const id = process.pid + '-' + round;
        const answer = await takeTurn(${JSON.stringify(store)}, { ...${JSON.stringify(holder(''))}, id }, ${JSON.stringify(policy)});
        if (answer.kind === 'busy') continue;
        const count = Number(fs.readFileSync(${JSON.stringify(counter)}, 'utf8'));
        await new Promise((resolve) => setTimeout(resolve, 2));
        fs.writeFileSync(${JSON.stringify(counter)}, String(count + 1));
        await answer.turn.release();
        round += 1;
      }`;
    const children = [1, 2, 3].map(() => spawn(process.execPath, ['--input-type=module', '--eval', code]));
    onTestFinished(() => {
      for (const child of children) child.kill('SIGKILL');
    });
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0]);
    expect(fs.readFileSync(counter, 'utf8')).toBe('60');
  });
});

describe('captures', () => {
  const source = (): { path: string; passportDisk: ReturnType<typeof somePassportDisk> } => ({
    path: makeBlankDisk(path.join(folder.path, 'disk.img'), 4 * MiB),
    passportDisk: somePassportDisk(4 * MiB),
  });

  test('the second one waits until the first has ended, and says for whom', async () => {
    const waits: string[] = [];
    const first = await waitForTurn({ store, station: 'OS-SRV-2', who: 'schmidt', policy });
    const second = captureImageOf(store, [source()], {
      turn: {
        who: 'meier',
        policy,
        onWait(sentence) {
          waits.push(sentence);
          void first[Symbol.asyncDispose]();
        },
      },
    });
    await expect(second).resolves.toMatchObject({ name: { station: 'OS-SRV-1A' } });
    expect(waits).toEqual([expect.stringContaining('the capture of OS-SRV-2, started by schmidt')]);
    expect(fs.existsSync(turnFile())).toBe(false);
  });

  test('what stands still only for a while is opened when it is its turn, and closed before that ends', async () => {
    const order: string[] = [];
    const { path: snapshot, passportDisk } = source();
    const first = await waitForTurn({ store, station: 'OS-SRV-2', who: 'schmidt', policy });
    const takenAt = new Date('2026-11-20T02:00:00Z');
    const image = await captureImageOf(store, [{ path: '/dev/not-read', passportDisk }], {
      turn: {
        who: 'meier',
        policy,
        onWait() {
          order.push('waited');
          void first[Symbol.asyncDispose]();
        },
      },
      async openSources() {
        order.push('opened');
        return {
          paths: [snapshot],
          capturedAt: takenAt,
          consistency: 'crash',
          assertWhole: async () => void order.push('asked'),
          async [Symbol.asyncDispose]() {
            order.push(fs.existsSync(turnFile()) ? 'closed in its turn' : 'closed too late');
          },
        };
      },
    });
    expect(order).toEqual(['waited', 'opened', 'asked', 'closed in its turn']);
    expect(image.manifest).toMatchObject({ capturedAt: takenAt.toISOString(), consistency: 'crash' });
  });

  test('or stops when it is not to wait; Ctrl-C ends the waiting', async () => {
    await using _first = await waitForTurn({ store, station: 'OS-SRV-2', who: 'schmidt', policy });
    await expect(
      captureImageOf(store, [source()], { turn: { who: 'meier', policy, once: true } }),
    ).rejects.toMatchObject({ code: 'store-unreachable', message: expect.stringContaining('schmidt') });
    const controller = new AbortController();
    await expect(
      captureImageOf(store, [source()], {
        signal: controller.signal,
        turn: { who: 'meier', policy, onWait: () => controller.abort() },
      }),
    ).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('one that lost its turn to another leaves no image, and leaves the other its turn', async () => {
    const capture = captureImageOf(store, [source()], {
      turn: { who: 'meier', policy },
      onProgress() {
        const other = holder('another', { station: 'OS-SRV-2' });
        fs.writeFileSync(turnFile(), JSON.stringify(other));
      },
    });
    await expect(capture).rejects.toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining("its turn is another capture's now"),
    });
    expect(fs.existsSync(path.join(store, 'images'))).toBe(false);
    expect(fs.readFileSync(turnFile(), 'utf8')).toContain('OS-SRV-2');
  });

  test('a published image stays one when its turn cannot be ended', async () => {
    const ended = path.join(store, 'captures/.turn-ended');
    const image = await captureImageOf(store, [source()], {
      turn: { who: 'meier', policy },
      // A file is not renamed onto a folder.
      onProgress: () => void fs.mkdirSync(ended, { recursive: true }),
    });
    expect(image.warnings).toContainEqual(expect.stringContaining('could not be ended'));
  });

  test('one that fails gives its turn back', async () => {
    const gone = { path: path.join(folder.path, 'gone.img'), passportDisk: somePassportDisk(MiB) };
    await expect(captureImageOf(store, [gone], { turn: { who: 'meier', policy } })).rejects.toThrow(
      'gone.img',
    );
    expect((await takeTurn(store, holder('b'), policy)).kind).toBe('taken');
  });
});
