import { addReading, emptyMeter, type ProgressMeter } from '#runtime/console/progress-meter.ts';
import { formatProgress } from '#runtime/console/run-view.ts';

/** Progress on standard error: a line that moves on a terminal, a line now and then in a log. */
export interface ProgressLine {
  show(what: string, doneBytes: number, totalBytes: number): void;
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
  return {
    show(what, doneBytes, totalBytes) {
      if (what !== current) {
        current = what;
        meter = emptyMeter;
        shownAt = stream.isTTY ? Number.NEGATIVE_INFINITY : now();
      }
      meter = addReading(meter, now() / 1000, doneBytes);
      if (now() - shownAt < every) return;
      shownAt = now();
      const line = `${what}  ${formatProgress(meter, doneBytes, totalBytes)}`;
      stream.write(stream.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    },
    end() {
      if (stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}
