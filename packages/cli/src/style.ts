type Format = 'bold' | 'green' | 'red';

/** On and off (ECMA-48). util.styleText looks at process.stdout for itself, in some versions of Node and not in others. */
const codes: Readonly<Record<Format, readonly [number, number]>> = { bold: [1, 22], green: [32, 39], red: [31, 39] };

/** Colours for a terminal, unless NO_COLOR is set (no-color.org) or the terminal has none; plain text otherwise. */
export function styler(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): (format: Format, text: string) => string {
  const coloured = isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return coloured ? (format, text) => `\u001b[${codes[format][0]}m${text}\u001b[${codes[format][1]}m` : (_, text) => text;
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** A size for people, in powers of 1000: `12.3 MB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.95 would be rounded to 1000.0 of the smaller unit.
  while (value >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(1)} ${units[unit] ?? ''}`;
}

/** `1 blob`, `2 blobs`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Rows in columns, two spaces between them; the last column is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<readonly number[]>((wide, row) => row.map((cell, column) => Math.max(wide[column] ?? 0, cell.length)), []);
  const lines = rows.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ').trimEnd());
  return lines.map((line) => `${line}\n`).join('');
}

/** Text from outside as it can be shown: control characters, which could steer a terminal, become visible. */
export function shown(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
