import { isMet, type Row } from './scenario.ts';

const columns = ['', 'ours', 'peer', 'ratio', 'goal', ''] as const;

/** Rows of one scenario as text, columns aligned. */
export function formatTable(rows: readonly Row[]): string {
  const cells = [columns, ...rows.map(cellsOf)];
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const left = new Set([0, 2, 4, 5]);
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          left.has(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join('\n');
}

function cellsOf(row: Row): string[] {
  const met = isMet(row);
  return [
    row.what,
    `${format(row.ours)} ${row.unit}`,
    row.peer === undefined ? '' : `${format(row.peer.value)} ${row.unit} ${row.peer.name}`,
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)}x`,
    row.goal?.sentence ?? '',
    met === undefined ? '' : met ? 'met' : 'NOT MET',
  ];
}

const format = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
