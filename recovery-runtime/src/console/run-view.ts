import { formatBytes } from '#base/bytes.ts';
import type { RunEvent } from '../engine/step-events.ts';
import { progressBar } from './bars.ts';
import { clip, wrapBelow } from './layout.ts';
import { addReading, emptyMeter, type ProgressMeter, rateOf, secondsLeft } from './progress-meter.ts';
import { formatDuration, formatRate } from './quantities.ts';
import type { Terminal } from './terminal.ts';

const marks = { done: '[ ok ] ', failed: '[FAIL] ', skipped: '[skip] ', started: '[ .. ] ' } as const;
const indent = '       ';
const barCells = 14;
/** A person sees movement; a serial line at 9600 baud is not filled by it. */
const repaintSeconds = 0.5;
/** The log of a serial line shows repaints badly, so that often a line stands. */
const standingLineSeconds = 10;

/** `[#####.....]  25 %  1.0 GiB of 4.0 GiB  100 MiB/s  30 s left`, within one line. */
export function formatProgress(meter: ProgressMeter, doneBytes: number, totalBytes: number): string {
  const share = totalBytes === 0 ? 1 : doneBytes / totalBytes;
  const rate = rateOf(meter);
  const left = secondsLeft(meter, totalBytes);
  return clip(
    [
      progressBar(share, barCells),
      `${String(Math.floor(share * 100)).padStart(3)} %`,
      `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
      rate === undefined ? '' : formatRate(rate),
      left === undefined ? '' : `${formatDuration(left)} left`,
    ]
      .filter((part) => part !== '')
      .join('  '),
  );
}

/** Step events onto the terminal: a line for a step that ended, one moving line for the one that runs. */
export function createRunView(terminal: Terminal): (event: RunEvent) => void {
  let meter = emptyMeter;
  let repaintedAt = Number.NEGATIVE_INFINITY;
  let standingSince = 0;

  return (event) => {
    const now = event.uptimeSeconds;
    switch (event.state) {
      case 'started':
        meter = emptyMeter;
        repaintedAt = Number.NEGATIVE_INFINITY;
        standingSince = now;
        return terminal.repaint(`${marks.started}${event.sentence}`);
      case 'progress': {
        const { doneBytes, totalBytes } = event;
        if (doneBytes === undefined || totalBytes === undefined) {
          terminal.replace(wrapBelow(indent, event.sentence));
          return undefined;
        }
        meter = addReading(meter, now, doneBytes);
        if (now - repaintedAt < repaintSeconds) return undefined;
        repaintedAt = now;
        const line = formatProgress(meter, doneBytes, totalBytes);
        if (now - standingSince < standingLineSeconds) return terminal.repaint(line);
        standingSince = now;
        return terminal.replace([line]);
      }
      default:
        return terminal.replace(wrapBelow(marks[event.state], event.sentence));
    }
  };
}
