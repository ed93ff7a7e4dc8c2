import { formatBytes } from '#base/bytes.ts';
import { errorChain, exitCodeOf, RekindleError } from '#base/errors.ts';
import type { ImageSummary } from '#contract/api.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { RunReport } from '#contract/run-report.ts';
import type { Difference } from '#images/passport/difference.ts';
import { type DiskRange, diskBar } from './bars.ts';
import { box, clip, lineColumns, table, toPlainText, wrap, wrapBelow } from './layout.ts';
import { texts } from './texts.ts';

/** What a person sees as a whole: each function gives the lines of one screen, none wider than a line may be. */

export interface Header {
  readonly purpose: 'recovery' | 'enrolment';
  readonly server: string;
  readonly station?: string;
}

export function headerScreen({ purpose, server, station }: Header): string[] {
  const left = `${texts.product} ${texts.purpose[purpose]}${station === undefined ? '' : `   ${station}`}`;
  const room = lineColumns - 4;
  return ['', ...box([`${left}${server.padStart(Math.max(server.length + 3, room - left.length))}`])];
}

/** `2026-11-20 02:00 UTC` */
function formatTime(isoTime: string): string {
  return `${isoTime.slice(0, 10)} ${isoTime.slice(11, 16)} UTC`;
}

export function imageListScreen(images: readonly ImageSummary[]): string[] {
  const rows = images.map((image, index) => [
    String(index + 1),
    formatTime(image.capturedAt),
    image.consistency,
    formatBytes(image.usedBytes),
    formatBytes(image.diskBytes),
    image.ref.slice(image.ref.indexOf('@') + 1),
  ]);
  return ['', ...table(texts.imageHeadings, rows), ''];
}

export interface ScreenRange extends DiskRange {
  readonly what: string;
}

export interface ScreenDisk {
  readonly number: number;
  readonly model: string;
  readonly serial?: string | undefined;
  readonly wwn?: string | undefined;
  readonly sizeBytes: number;
  readonly slot: string;
  /** How it was recognised, or that it is a replaced part. */
  readonly recognised: string;
  readonly ranges: readonly ScreenRange[];
  /** Whatever is not to be overlooked about this disk, a sentence each. */
  readonly warnings: readonly string[];
  /** Partitions that are on the disk now, that the image does not have, and that are overwritten. */
  readonly lost: readonly { readonly what: string; readonly sizeBytes: number }[];
}

function diskLines(disk: ScreenDisk): string[] {
  const serial = disk.serial === undefined ? texts.noSerial : `serial ${disk.serial}`;
  const identity = disk.wwn === undefined ? serial : `${serial}, ${disk.wwn}`;
  const rangeLine = (range: ScreenDisk['lost'][number]) =>
    `  ${clip(toPlainText(range.what), 44).padEnd(44)} ${formatBytes(range.sizeBytes).padStart(10)}`;
  const list = (label: string, ranges: ScreenDisk['lost']) =>
    ranges.map((range, index) => `  ${index === 0 ? label : ' '.repeat(label.length)}${rangeLine(range)}`);
  const withFate = (fate: DiskRange['fate']) => disk.ranges.filter((range) => range.fate === fate);
  return [
    ...wrap(texts.diskHeading(disk.number, disk.model, formatBytes(disk.sizeBytes))),
    ...wrapBelow('  ', identity),
    ...wrapBelow('  ', `${disk.slot}, ${disk.recognised}`),
    `  ${diskBar(disk.sizeBytes, disk.ranges, lineColumns - 6)}`,
    ...list(texts.overwrites, withFate('overwritten')),
    ...list(texts.keeps, withFate('kept')),
    ...list(texts.loses, disk.lost),
    ...disk.warnings.flatMap((warning) => wrapBelow('  ', warning)),
  ].map((line) => clip(line));
}

/** What the station's hooks will do, as preflight found it. */
export function hookLines(records: readonly HookRecord[]): string[] {
  const lines = records.flatMap(({ title, plan, result }) => [
    ...wrapBelow('  ', `${title}${result.outcome === 'skipped' ? `: ${result.reason}` : ''}`),
    ...plan.flatMap(({ kind, sentence }) => wrapBelow('    ', `${texts.hookLine[kind]}${sentence}`)),
  ]);
  return lines.length === 0 ? [] : ['', texts.hooksHeading, ...lines];
}

/** How the hooks ended on the restored disks, and what is still to come. */
export function hookEndingLines(records: readonly HookRecord[]): string[] {
  const failed = records.flatMap(({ title, result }) =>
    result.outcome === 'failed' ? wrapBelow('  ', texts.hookFailed(title, result.sentence)) : [],
  );
  const staged = records.filter(({ result }) => result.outcome === 'staged').map(({ title }) => title);
  return [
    ...failed,
    ...(staged.length === 0 ? [] : wrap(texts.awaitingFirstBoot(staged))),
    ...(failed.length === 0 ? [] : ['', ...wrap(texts.notStarted)]),
  ];
}

/** Hardware comparison and what happens to each disk: what a person has to have seen before confirming. */
export function planScreen(differences: readonly Difference[], disks: readonly ScreenDisk[]): string[] {
  const compared =
    differences.length === 0
      ? wrapBelow('  ', texts.noDifferences)
      : differences.flatMap((each) => wrapBelow('  ', `${texts.severity[each.severity]}: ${each.sentence}`));
  return [
    '',
    texts.compareHeading,
    ...compared,
    '',
    ...disks.flatMap(diskLines),
    `  ${texts.barLegend}`,
    '',
    ...wrap(texts.lastWarning),
    ...(disks.some(({ lost }) => lost.length > 0) ? wrap(texts.lostWarning) : []),
  ];
}

/** The disks that a capture reads. */
export function captureScreen(
  disks: readonly Omit<ScreenDisk, 'ranges' | 'lost' | 'warnings' | 'recognised' | 'number'>[],
): string[] {
  const rows = disks.map((disk) => [
    disk.model,
    disk.serial ?? disk.wwn ?? '',
    formatBytes(disk.sizeBytes),
    disk.slot,
  ]);
  return ['', texts.captureSource, ...table(['model', 'serial', 'size', 'slot'], rows), ''];
}

/** Why a run ended early: the chain of sentences, what became of the disks, what to do next. */
export function failureScreen(error: unknown, wroteToDisks: boolean): string[] {
  const [first = '', ...reasons] = errorChain(error);
  const next = error instanceof RekindleError ? error.next : undefined;
  return [
    '',
    ...box([`${texts.stopped} ${texts.exitCode(exitCodeOf(error))}`]),
    ...wrap(capitalise(first)),
    ...reasons.flatMap((reason, depth) => wrapBelow(`${'  '.repeat(depth + 1)}${texts.because}`, reason)),
    '',
    ...wrap(wroteToDisks ? texts.somethingWritten : texts.nothingWritten),
    ...(next === undefined ? [] : wrapBelow(texts.next, next)),
    '',
  ];
}

function capitalise(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1);
}

/** What of a report a person can write down: which image went onto which disk, and how much of it was proven. */
export function reportScreen({ station, image, openedAt, machine }: RunReport): string[] {
  return [
    '',
    ...wrap(texts.reportOnScreen(station, image, openedAt)),
    ...machine.disks.flatMap(({ number, model, serial, bytes }) =>
      wrapBelow(
        '  ',
        `${texts.diskHeading(number, model, serial ?? texts.noSerial)}: ${texts.restored(formatBytes(bytes.written), formatBytes(bytes.verified))}`,
      ),
    ),
    ...machine.unverified.flatMap((sentence) => wrapBelow('  ', sentence)),
    '',
  ];
}

export function menuScreen(): string[] {
  return [...texts.menu.map((entry) => `  ${entry}`), ''];
}

export function doneScreen(sentence: string): string[] {
  return ['', ...box([sentence]), ''];
}
