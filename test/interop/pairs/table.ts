import { readFileSync } from 'node:fs';

const page = new URL('../../../docs/interop.md', import.meta.url);

export interface Table {
  readonly columns: readonly string[];
  /** The cells of each row by the words of its first. */
  readonly rows: ReadonlyMap<string, readonly string[]>;
}

/** The table of `docs/interop.md` whose first heading is this. */
export function documentedTable(heading: string): Table {
  const lines = readFileSync(page, 'utf8').split('\n');
  const start = lines.findIndex((line) => cellsOf(line)[0] === heading);
  const [head = [], , ...rows] = lines.slice(start, start < 0 ? 0 : undefined).slice(0, rowsFrom(lines, start)).map(cellsOf);
  return { columns: head.slice(1), rows: new Map(rows.map(([name = '', ...cells]) => [name, cells])) };
}

function rowsFrom(lines: readonly string[], start: number): number {
  const end = lines.findIndex((line, i) => i > start && !line.startsWith('|'));
  return (end < 0 ? lines.length : end) - start;
}

function cellsOf(line: string): string[] {
  return line.startsWith('|') ? line.split('|').slice(1, -1).map((cell) => cell.trim()) : [];
}
