/** Control characters, and those that turn the direction of text. */
const DANGEROUS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text for a terminal, which must not obey what a message holds: what is dangerous is written as `\uXXXX`. */
export function printable(text: string): string {
  return text.replace(
    DANGEROUS,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The same, cut after so many characters. */
export function brief(text: string, chars: number): string {
  const shown = printable(text);
  return shown.length <= chars ? shown : `${shown.slice(0, chars - 1)}…`;
}

/** Rows under a head, in columns. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]!.length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
