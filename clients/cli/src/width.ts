import { stripVTControlCharacters } from 'node:util';
import { safeLine } from './safe-text';

/** Characters that take two columns: East Asian wide and fullwidth forms, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{17000}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\p{RI}\p{RI}|\p{Extended_Pictographic}\ufe0f/u;
/** Characters that take no column: combining marks, joiners, variation selectors, other formats. */
const ZERO = /^[\p{Mn}\p{Me}\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]$/u;
const ESC = String.fromCharCode(27);
const STYLED = new RegExp(`(${ESC}\\[[0-9;]*m)`);

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** Most text is ASCII, each character of which is one column. */
const PLAIN = /^[ -~]*$/;

/** The characters of a text as people count them. */
export function graphemes(text: string): string[] {
  if (PLAIN.test(text)) return text.split('');
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/**
 * Columns of one character. Terminals disagree about clusters (some add up their parts): of letters
 * with spacing marks every part counts, so that a row is rather too short than too long.
 */
function graphemeWidth(grapheme: string): number {
  if (grapheme.length === 1 && PLAIN.test(grapheme)) return 1;
  if (WIDE.test(grapheme)) return 2;
  return [...grapheme].filter((c) => !ZERO.test(c)).length;
}

/** Columns that a text takes on a terminal; colours count nothing. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const grapheme of graphemes(stripVTControlCharacters(text)))
    width += graphemeWidth(grapheme);
  return width;
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
    for (const grapheme of graphemes(word)) {
      const columns = graphemeWidth(grapheme);
      if (used + columns > width && grapheme !== ' ') {
        lines.push(line.trimEnd());
        line = '';
        used = 0;
      }
      line += grapheme;
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

/** Sequences that end what an earlier one of {@link ENDED_BY} began. */
const ENDS: Record<string, readonly string[]> = {
  [`${ESC}[22m`]: [`${ESC}[1m`, `${ESC}[2m`],
  [`${ESC}[39m`]: [`${ESC}[31m`, `${ESC}[32m`],
};

/** Breaks a line with colours into rows of at most `width` columns, each with its colours. */
export function rowsOf(line: string, width: number): string[] {
  if (displayWidth(line) <= width) return [line];
  const rows: string[] = [];
  let active: string[] = [];
  let row = '';
  let used = 0;
  for (const part of line.split(STYLED)) {
    if (part.startsWith(ESC)) {
      row += part;
      const ended = ENDS[part];
      active = ended ? active.filter((one) => !ended.includes(one)) : [...active, part];
      continue;
    }
    for (const grapheme of graphemes(part)) {
      const columns = graphemeWidth(grapheme);
      if (used + columns > width) {
        rows.push(row);
        row = active.join('');
        used = 0;
        if (grapheme === ' ') continue;
      }
      row += grapheme;
      used += columns;
    }
  }
  return [...rows, row];
}

/** Where the cursor is in rows that are filled to the last column. */
export interface Laid {
  rows: string[];
  row: number;
  /** What stands before the cursor in its row. */
  before: string;
}

/** Lays typed text out behind a prompt, in rows of at most `width` columns. */
export function layOut(prompt: string, text: string, cursor: number, width: number): Laid {
  const laid: Laid = { rows: [], row: 0, before: '' };
  const asked = wrap(prompt, width - 4);
  laid.rows.push(...asked.slice(0, -1));
  let row = asked.at(-1)! + (prompt.endsWith(' ') ? ' ' : '');
  const indent = ' '.repeat(Math.min(displayWidth(row), 8));
  let used = displayWidth(row);
  let index = 0;
  let found = false;
  const here = (): void => {
    if (found || index < cursor) return;
    found = true;
    laid.row = laid.rows.length;
    laid.before = row;
  };
  const next = (begin: string): void => {
    laid.rows.push(row);
    row = begin;
    used = displayWidth(begin);
  };
  for (const grapheme of graphemes(text)) {
    if (grapheme === '\n') {
      here();
      next(indent);
    } else {
      const columns = graphemeWidth(grapheme);
      if (used + columns > width) next('');
      here();
      row += safeLine(grapheme);
      used += columns;
    }
    index += grapheme.length;
  }
  // The cursor stands behind the last character: there must be a column for it.
  if (used >= width) next('');
  here();
  laid.rows.push(row);
  return laid;
}
