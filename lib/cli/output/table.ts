import { width } from './text.js';

/** A column of a table. The text of its cells must be safe to print; it may have colours. */
export interface Column {
  title: string;
  align?: 'left' | 'right';
}

/** Formats rows under headings. Nothing is cut off. Columns without any content are left out. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const shown = columns
    .map((_, at) => at)
    .filter((at) => rows.length === 0 || rows.some((row) => (row[at] ?? '') !== ''));
  const widths = shown.map((at) =>
    rows.reduce((most, row) => Math.max(most, width(row[at] ?? '')), width(columns[at]!.title)),
  );
  const line = (cells: readonly string[]) =>
    shown
      .map((at, n) => {
        const cell = cells[at] ?? '';
        const gap = ' '.repeat(widths[n]! - width(cell));
        return columns[at]!.align === 'right' ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

/** Formats names and values, one pair on each line. */
export function pairs(entries: readonly (readonly [name: string, value: string | undefined])[]): string[] {
  const shown = entries.filter(
    (entry): entry is readonly [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  const widest = Math.max(0, ...shown.map(([name]) => width(name)));
  return shown.map(([name, value]) => `${name}${' '.repeat(widest - width(name))}  ${value}`.trimEnd());
}
