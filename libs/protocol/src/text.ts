const encoder = new TextEncoder();

/** Length of a string in bytes of UTF-8. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/**
 * Whether a string has at most `limit` bytes of UTF-8. Encodes it only when its length does not
 * decide.
 */
export function fitsBytes(text: string, limit: number): boolean {
  if (text.length > limit) return false;
  if (text.length * 3 <= limit) return true;
  return utf8Bytes(text) <= limit;
}

/** Whether PostgreSQL can store this string as it is: no NUL, no lone surrogates. */
export function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/**
 * Anything visible: not a blank, a control character, a mark on its own, a filler or another
 * ignorable (UAX #44), nor U+2800.
 */
const VISIBLE = /[^\p{Z}\p{Cc}\p{Cf}\p{Cs}\p{M}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Whether a text shows anything to its reader. */
export function isVisible(text: string): boolean {
  return VISIBLE.test(text);
}

/**
 * Control characters, line breaks and lone surrogates; also whatever changes the direction of the
 * surrounding text (UAX #9).
 */
const UNPRINTED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/**
 * Scripts in which a joiner or non-joiner changes how letters are written (UTR #36, UAX #31 §2.3).
 */
const JOINING =
  '[' +
  ['Arab', 'Syrc', 'Mong', 'Deva', 'Beng', 'Guru', 'Gujr', 'Orya', 'Taml', 'Telu', 'Knda', 'Mlym']
    .concat(['Sinh', 'Khmr', 'Mymr', 'Tibt'])
    .map((script) => `\\p{scx=${script}}`)
    .join('') +
  ']';

/** Joiners where they belong: between letters of those scripts, and inside an emoji. */
const JOINERS = new RegExp(
  `(?<=${JOINING})[\\u200c\\u200d](?=${JOINING})|` +
    '(?<=[\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f])\\u200d(?=\\p{Extended_Pictographic})',
  'gu',
);
const ZERO_WIDTH = /[\u00ad\u034f\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\ufeff]/u;

/** Whether a name shows as what it is: nothing reverses it, breaks its line or hides in it. */
export function isPlainLine(text: string): boolean {
  return !UNPRINTED.test(text) && !ZERO_WIDTH.test(text.replace(JOINERS, ''));
}
