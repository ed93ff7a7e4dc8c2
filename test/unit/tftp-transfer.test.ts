import { expect, test } from 'vitest';
import type { TransferParameters } from '#pxe-server/tftp/negotiation.ts';
import {
  patienceMs,
  startTransfer,
  stepTransfer,
  type TransferState,
  type TransferStep,
} from '#pxe-server/tftp/transfer.ts';

const parameters = (change: Partial<TransferParameters> = {}): TransferParameters => ({
  blockSize: 512,
  windowSize: 1,
  accepted: new Map(),
  ...change,
});
const ack = (state: TransferState, block: number, now: number): TransferStep =>
  stepTransfer(state, { kind: 'packet', packet: { kind: 'ack', block: block & 0xffff }, now });
const tick = (state: TransferState, now: number): TransferStep => stepTransfer(state, { kind: 'tick', now });
const blocks = (first: number, last = first) => ({ kind: 'blocks', first, last });

test('without options the first packet is DATA 1; the ACK of the last block ends it', () => {
  const first = startTransfer(parameters(), 700, 0);
  expect(first.send).toEqual(blocks(1));
  const second = ack(first.state, 1, 1);
  expect(second.send).toEqual(blocks(2));
  expect(ack(second.state, 2, 2).outcome).toEqual({ kind: 'done' });
});

test('a file that fills its last block is followed by an empty one', () => {
  expect(startTransfer(parameters(), 1024, 0).state.lastBlock).toBe(3);
  expect(startTransfer(parameters(), 0, 0).state.lastBlock).toBe(1);
});

test('with options the OACK comes first and only ACK 0 starts the data', () => {
  const start = startTransfer(parameters({ accepted: new Map([['tsize', '700']]) }), 700, 0);
  expect(start.send).toEqual({ kind: 'oack' });
  expect(ack(start.state, 1, 1)).toEqual({ state: start.state });
  expect(ack(start.state, 0, 1).send).toEqual(blocks(1));
});

test('an ERROR in answer to the OACK is a probe, later it is an abort', () => {
  const refusal = { kind: 'packet', packet: { kind: 'error', code: 8, message: 'no' }, now: 1 } as const;
  const probing = startTransfer(parameters({ accepted: new Map([['tsize', '700']]) }), 700, 0);
  expect(stepTransfer(probing.state, refusal).outcome).toEqual({ kind: 'probed' });
  const reading = startTransfer(parameters(), 700, 0);
  expect(stepTransfer(reading.state, refusal).outcome).toEqual({ kind: 'aborted', code: 8, message: 'no' });
});

test("a copied ACK is not answered (Sorcerer's Apprentice)", () => {
  const second = ack(startTransfer(parameters(), 5000, 0).state, 1, 1);
  expect(ack(second.state, 1, 2).send).toBeUndefined();
  const third = ack(second.state, 2, 3);
  expect(ack(third.state, 1, 4).send).toBeUndefined();
  expect(ack(third.state, 5, 4).send).toBeUndefined();
});

test('the block number wraps from 65535 to 0 and on', () => {
  let step = startTransfer(parameters(), 512 * 140_000, 0);
  for (let block = 1; block <= 131_073; block++) step = ack(step.state, block, block);
  expect(step.send).toEqual(blocks(131_074));
  expect(step.state.acknowledged).toBe(131_073);
});

test('a window is sent at once; an ACK inside it says what was lost', () => {
  const start = startTransfer(parameters({ windowSize: 4 }), 512 * 20, 0);
  expect(start.send).toEqual(blocks(1, 4));
  const gap = ack(start.state, 2, 1);
  expect(gap.send).toEqual(blocks(3, 6));
  // The blocks 3 and 4 were only late: the client's ACK of the first window still counts.
  expect(ack(gap.state, 4, 2).send).toEqual(blocks(5, 8));
});

test('a repeated ACK before the window counts once, and only when it is old enough to be an answer', () => {
  let step = startTransfer(parameters({ windowSize: 4 }), 512 * 40, 0);
  step = ack(step.state, 4, 100);
  expect(ack(step.state, 4, 101).send).toBeUndefined();
  const lost = ack(step.state, 4, 200);
  expect(lost.send).toEqual(blocks(5, 8));
  expect(ack(lost.state, 4, 300).send).toBeUndefined();
});

test('behind a window that was repeated, the ACK of its copy does not make the next copy', () => {
  let step = startTransfer(parameters({ windowSize: 4 }), 512 * 40, 0);
  step = ack(step.state, 4, 100);
  step = tick(step.state, step.state.timerAt);
  expect(step.send).toMatchObject({ kind: 'blocks', first: 5 });
  step = ack(step.state, 8, 1000);
  expect(step.send).toEqual(blocks(9, 12));
  // atftp: "got wrong block, sending extra ACK".
  step = ack(step.state, 8, 1500);
  expect(step.send).toBeUndefined();
  // The window behind that one was sent once only: a repeated ACK means a loss again.
  step = ack(step.state, 12, 1600);
  expect(ack(step.state, 12, 1700).send).toEqual(blocks(13, 16));
});

test('retransmission follows the measured round trip, and doubles while nothing comes', () => {
  let step = startTransfer(parameters(), 5000, 0);
  expect(step.state.timerAt).toBe(250);
  step = ack(step.state, 1, 8);
  step = ack(step.state, 2, 16);
  const wait = step.state.timerAt - 16;
  expect(wait).toBeGreaterThan(8);
  expect(wait).toBeLessThan(60);
  expect(tick(step.state, 17)).toEqual({ state: step.state });
  const again = tick(step.state, step.state.timerAt);
  expect(again.send).toEqual(blocks(3));
  expect(again.state.timerAt - again.state.sentAt).toBe(2 * wait);
});

test('an answer to a retransmission is not measured (Karn)', () => {
  const step = ack(startTransfer(parameters(), 5000, 0).state, 1, 5);
  const again = tick(step.state, step.state.timerAt);
  expect(ack(again.state, 2, again.state.sentAt + 1).state.roundTrip).toEqual(again.state.roundTrip);
});

test('a window that stays unanswered is repeated with the next one behind it', () => {
  const start = startTransfer(parameters({ windowSize: 4 }), 512 * 40, 0);
  const again = tick(start.state, 250);
  expect(again.send).toEqual(blocks(1, 8));
  expect(ack(again.state, 8, 260).send).toEqual(blocks(9, 12));
});

test('in lock-step the next block follows only when the client is stuck', () => {
  let step = startTransfer(parameters(), 5000, 0);
  for (let i = 1; i <= 2; i++) {
    step = tick(step.state, step.state.timerAt);
    expect(step.send).toEqual(blocks(1));
  }
  step = tick(step.state, step.state.timerAt);
  expect(step.send).toEqual(blocks(1, 2));
  step = ack(step.state, 2, step.state.sentAt + 1);
  expect(step.send).toEqual(blocks(3));
  // It did not answer the block that it had: from now on it is not made to wait for the third time-out.
  expect(tick(step.state, step.state.timerAt).send).toEqual(blocks(3, 4));
});

test('a client that answers a repeated block is never sent two at once', () => {
  let step = startTransfer(parameters(), 5000, 0);
  for (let block = 1; block < 4; block++) {
    step = tick(step.state, step.state.timerAt);
    expect(step.send).toEqual(blocks(block));
    step = ack(step.state, block, step.state.sentAt + 1);
  }
  expect(step.state.ignoresRepeats).toBe(false);
});

test('the timeout option bounds the pause between retransmissions', () => {
  let step = startTransfer(parameters({ timeoutSeconds: 1 }), 5000, 0);
  for (let i = 0; i < 5; i++) step = tick(step.state, step.state.timerAt);
  expect(step.state.timerAt - step.state.sentAt).toBe(1000);
});

test.each([
  ['in the middle', 512 * 40, { kind: 'timed-out', acknowledged: 0 }, patienceMs],
  ['in the last block, when the client may simply be done', 100, { kind: 'unconfirmed' }, 5000],
])('a client that vanishes %s', (_, size, outcome, patience) => {
  let step = startTransfer(parameters(), size, 0);
  let sendings = 1;
  while (step.outcome === undefined && sendings < 100) {
    step = tick(step.state, step.state.timerAt);
    sendings++;
  }
  expect(step.outcome).toEqual(outcome);
  expect(step.state.timerAt).toBeGreaterThanOrEqual(patience);
  expect(sendings).toBeLessThan(30);
});
