/** Characters that take two columns: East Asian wide and fullwidth forms, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** Characters that take no column: combining marks, joiners, variation selectors. */
const ZERO = /^[\p{Mn}\p{Me}\u200b-\u200d\ufe0f]$/u;
const ANSI = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

function graphemeWidth(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2;
  return [...grapheme].every((c) => ZERO.test(c)) ? 0 : 1;
}

/** Columns that a text takes on a terminal; colours count nothing. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text.replace(ANSI, ''))) {
    width += graphemeWidth(segment);
  }
  return width;
}

/** Rows that a text takes on a terminal of so many columns. */
export function displayRows(text: string, columns: number): number {
  return text
    .split('\n')
    .reduce((rows, line) => rows + Math.max(1, Math.ceil(displayWidth(line) / columns)), 0);
}

/** Breaks a text into lines of at most `width` columns, between words where it can. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => wrapLine(line, Math.max(4, width)));
}

function wrapLine(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const word of text.split(/(?<= )/)) {
    const size = displayWidth(word.trimEnd());
    if (used > 0 && used + size > width) {
      lines.push(line.trimEnd());
      line = '';
      used = 0;
    }
    for (const { segment } of segmenter.segment(word)) {
      const columns = graphemeWidth(segment);
      if (used + columns > width && segment !== ' ') {
        lines.push(line.trimEnd());
        line = '';
        used = 0;
      }
      line += segment;
      used += columns;
    }
  }
  lines.push(line.trimEnd());
  return lines;
}

/** The beginning of a text that takes at most so many columns, with `…` where it was cut. */
export function shortened(text: string, width: number): string {
  if (width === Infinity || displayWidth(text) <= width) return text;
  return `${wrapLine(text, Math.max(4, width - 1))[0]!}…`;
}
