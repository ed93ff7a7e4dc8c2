import type { CoverageRow } from '#driver-packs/check-coverage.ts';
import type { StoreRow } from '#driver-packs/store-coverage.ts';
import type { WinpeCoverageRow } from '#driver-packs/winpe/match-inf.ts';

/** What covers each device, and what mounts the images, as lines that fit 80 columns. */
export function formatCoverageTable(rows: readonly CoverageRow[], store: readonly StoreRow[]): string[] {
  const table = [
    ['', 'slot', 'id', 'driver', 'firmware', 'signature', 'class'],
    ...rows.map((row) => [
      row.red === undefined ? 'ok' : 'RED',
      // Nearly every machine has one PCI domain only.
      row.slot.replace(/^0000:/, ''),
      row.id,
      row.module === undefined ? 'NONE' : `${row.module}${row.origin === 'vendor' ? '*' : ''}`,
      formatFirmware(row),
      row.signature ?? '-',
      row.className,
    ]),
  ];
  const widths = table[0]?.map((_, at) => Math.max(...table.map((line) => (line[at] ?? '').length))) ?? [];
  const lines = table.map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  if (rows.some(({ origin }) => origin === 'vendor')) lines.push("* from the vendor's folder");
  if (store.length > 0) {
    const state = ({ need, state: is }: StoreRow) => (is === 'missing' ? `${need} MISSING` : need);
    lines.push(`share of the images: ${store.map(state).join(', ')}`);
  }
  return lines.flatMap((line) => (line.length <= 79 ? [line] : wrapTail(line)));
}

/** Which Windows driver each device gets. */
export function formatWinpeRows(rows: readonly WinpeCoverageRow[]): string[] {
  return rows.flatMap(({ slot, id, className, driver }) => {
    const what = `${slot.replace(/^0000:/, '')}  ${id}  ${className}`;
    if (driver === undefined) return [`RED ${what}: no driver`];
    if (driver === 'in-box') return [`ok  ${what}: Windows PE's own`];
    const { provider, version, date } = driver.inf;
    return [
      `ok  ${what}:`,
      `      ${driver.path} (${[provider, version, date].filter((part) => part !== '').join(', ')})`,
    ];
  });
}

function formatFirmware({ firmware, module }: CoverageRow): string {
  if (module === undefined || firmware.named === 0) return '-';
  return firmware.present === firmware.named ? 'all' : `${firmware.present} of ${firmware.named}`;
}

/** What does not fit goes below, indented. */
function wrapTail(line: string): string[] {
  const at = line.lastIndexOf(' ', 79);
  if (at <= 10) return [line];
  const rest = `          ${line.slice(at + 1)}`;
  return [line.slice(0, at).trimEnd(), ...(rest.length <= 79 ? [rest] : wrapTail(rest))];
}
