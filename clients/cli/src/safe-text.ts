/** C0 and C1 controls but for newline; also DEL. */
const CONTROLS = /\p{Cc}/gu;
/** Marks that change the direction of text, line and paragraph separators, and invisible tags. */
const TRICKS = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;
const CONTROL_PICTURES = 0x2400;

function visible(control: string): string {
  const code = control.codePointAt(0)!;
  if (control === '\t') return '  ';
  if (code < 0x20) return String.fromCodePoint(CONTROL_PICTURES + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}

/**
 * Text of others for the terminal: whatever could move the cursor, change colours, start a command
 * or reorder the line is shown as a symbol instead. Newlines stay.
 */
export function safeText(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .toWellFormed()
    .replace(CONTROLS, (control) => (control === '\n' ? '\n' : visible(control)))
    .replace(TRICKS, '\ufffd')
    .replace(PILED, '$1');
}

/** Marks beyond so many on one character are drawing, not writing. */
const PILED = /(\p{M}{8})\p{M}+/gu;

/** As {@link safeText}, on one line: for names. */
export function safeLine(text: string): string {
  return safeText(text).replaceAll('\n', ' ');
}

/** Colours of this program and everything else that is a control character. */
const COLOUR_OR_CONTROL = new RegExp(
  `${String.fromCharCode(27)}\\[(?:0|1|2|22|31|32|39)m|\\p{Cc}`,
  'gu',
);

/** The last guard before a terminal: no control sequence but the colours of this program. */
export function onlyColours(row: string): string {
  return row
    .replace(COLOUR_OR_CONTROL, (found) => (found.length > 1 ? found : visible(found)))
    .replace(TRICKS, '\ufffd');
}
