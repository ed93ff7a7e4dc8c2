import { addReading, emptyMeter, type ProgressMeter, secondsLeft } from '#runtime/console/progress-meter.ts';
import { formatDuration } from '#runtime/console/quantities.ts';
import { formatProgress } from '#runtime/console/run-view.ts';

/** Progress on standard error: a line that moves on a terminal, a line now and then in a log. */
export interface ProgressLine {
  show(what: string, doneBytes: number, totalBytes: number): void;
  /** The same for things that are counted. */
  count(what: string, done: number, total: number): void;
  /** Leaves the terminal clean for what comes next. */
  end(): void;
}

const repaintMs = 500;
const logEveryMs = 10_000;

export function createProgressLine(
  stream: NodeJS.WriteStream = process.stderr,
  now: () => number = () => performance.now(),
): ProgressLine {
  let meter: ProgressMeter = emptyMeter;
  let current = '';
  let shownAt = Number.NEGATIVE_INFINITY;
  const every = stream.isTTY ? repaintMs : logEveryMs;
  const show = (what: string, done: number, text: (meter: ProgressMeter) => string): void => {
    if (what !== current) {
      current = what;
      meter = emptyMeter;
      shownAt = stream.isTTY ? Number.NEGATIVE_INFINITY : now();
    }
    meter = addReading(meter, now() / 1000, done);
    if (now() - shownAt < every) return;
    shownAt = now();
    const line = `${what}  ${text(meter)}`;
    stream.write(stream.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
  };
  return {
    show: (what, doneBytes, totalBytes) =>
      show(what, doneBytes, (readings) => formatProgress(readings, doneBytes, totalBytes)),
    count: (what, done, total) =>
      show(what, done, (readings) => {
        const left = secondsLeft(readings, total);
        return `${done} of ${total}${left === undefined ? '' : `, ${formatDuration(left)} left`}`;
      }),
    end() {
      if (stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}
