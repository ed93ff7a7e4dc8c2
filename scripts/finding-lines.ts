import type { Finding } from '#pxe-server/doctor/finding.ts';
import { fitTerminal } from './fit-terminal.ts';

const marks = { ok: 'ok      ', warning: 'warning ', problem: 'PROBLEM ' } as const;
const below = ' '.repeat(marks.ok.length + 1);

/**
 * What the doctor found, as a person reads it: what stands in the way comes last, where a terminal of 25 rows still
 * shows it, and a sentence says how much that was.
 */
export function formatFindings(findings: readonly Finding[], columns: number | undefined): string[] {
  const of = (verdict: Finding['verdict']) => findings.filter((each) => each.verdict === verdict);
  const [warnings, problems] = [of('warning'), of('problem')];
  const lines = [...of('ok'), ...warnings, ...problems].flatMap(linesOf);
  return [
    ...lines.map((line) => fitTerminal(line, columns, below.length)),
    fitTerminal(sumUp(problems.length, warnings.length), columns),
  ];
}

function linesOf({ verdict, sentence, next }: Finding): string[] {
  const lines = [...sentence.split('\n'), ...(next === undefined ? [] : next.split('\n'))];
  return lines.map((line, index) => `${index === 0 ? `${marks[verdict]} ` : below}${line}`);
}

function sumUp(problems: number, warnings: number): string {
  const inTheWay =
    problems === 0
      ? 'Nothing stands in the way'
      : problems === 1
        ? 'One problem stands in the way'
        : `${problems} problems stand in the way`;
  const besides =
    warnings === 0
      ? ''
      : warnings === 1
        ? ', and there is a warning'
        : `, and there are ${warnings} warnings`;
  return `${inTheWay}${besides}.`;
}
