import { formatBytes } from '#base/bytes.ts';
import { addReading, emptyMeter, rateOf, secondsLeft } from '../../console/progress-meter.ts';
import { formatDuration, formatRate } from '../../console/quantities.ts';

const everySeconds = 10;

/**
 * Says now and then how far long work is: a sentence every ten seconds.
 * @returns takes the bytes that were done since the last call
 */
export function progressInWords(
  what: string,
  totalBytes: number,
  say: (sentence: string) => void,
  nowSeconds: () => number = () => performance.now() / 1000,
): (bytes: number) => void {
  let done = 0;
  let meter = addReading(emptyMeter, nowSeconds(), 0);
  let saidAt = nowSeconds();
  return (bytes) => {
    done += bytes;
    const now = nowSeconds();
    meter = addReading(meter, now, done);
    if (now - saidAt < everySeconds) return;
    saidAt = now;
    const rate = rateOf(meter);
    const left = secondsLeft(meter, totalBytes);
    say(
      [
        `${what}: ${formatBytes(done)} of ${formatBytes(totalBytes)}`,
        ...(rate === undefined ? [] : [formatRate(rate)]),
        ...(left === undefined ? [] : [`${formatDuration(left)} left`]),
      ].join(', '),
    );
  };
}
