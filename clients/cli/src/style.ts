const ESCAPE = String.fromCharCode(27);

/** Marks up text for a terminal, or leaves it as it is. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}

function sgr(on: number, off: number): (text: string) => string {
  return (text) => `${ESCAPE}[${on}m${text}${ESCAPE}[${off}m`;
}

/** Colours by SGR sequences (ECMA-48 §8.3.117). */
export const colours: Style = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  good: sgr(32, 39),
  bad: sgr(31, 39),
};

const same = (text: string): string => text;

/** No colours. */
export const plain: Style = { bold: same, dim: same, good: same, bad: same };
