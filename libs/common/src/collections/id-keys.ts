/** How many 32-bit words a UUID takes. */
export const UUID_WORDS = 4;
/** How many 32-bit words of a content hash are kept: 120 bits, in words of 30. */
export const HASH_WORDS = 4;

const HASH_CHARS_PER_WORD = 5;
const NONE = 0xff;
/** The text form of a UUID (RFC 9562). */
const UUID_LENGTH = 36;
const DASHES = [8, 13, 18, 23];
const DASH = '-'.charCodeAt(0);
const UUID_DIGITS = Array.from({ length: UUID_LENGTH }, (_, at) => at).filter(
  (at) => !DASHES.includes(at),
);
const HEX = table('0123456789abcdef');
const BASE64URL = table('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');

/**
 * Writes a UUID (lower case) as four words at `at`.
 * @throws RangeError when the text is not a UUID: two ids must never become one.
 */
export function writeUuid(uuid: string, into: Uint32Array, at: number): void {
  let word = 0;
  let seen = uuid.length === UUID_LENGTH ? 0 : NONE;
  for (const dash of DASHES) if (uuid.charCodeAt(dash) !== DASH) seen = NONE;
  for (let i = 0; i < UUID_DIGITS.length; i++) {
    const digit = HEX[uuid.charCodeAt(UUID_DIGITS[i]!)] ?? NONE;
    seen |= digit;
    word = (word << 4) | (digit & 0x0f);
    if ((i & 7) === 7) into[at + (i >> 3)] = word;
  }
  if (seen > 0x0f) throw new RangeError(`"${uuid}" is no UUID`);
}

/**
 * Writes the first 120 bits of a hash (base64url) as four words at `at`; missing characters count
 * as 0. Enough to tell contents apart: nobody gains by giving one id two contents that look equal.
 */
export function writeHash(hash: string, into: Uint32Array, at: number): void {
  for (let word = 0; word < HASH_WORDS; word++) {
    let bits = 0;
    for (let i = 0; i < HASH_CHARS_PER_WORD; i++) {
      const char = word * HASH_CHARS_PER_WORD + i;
      const value = char < hash.length ? (BASE64URL[hash.charCodeAt(char)] ?? NONE) : 0;
      bits = (bits << 6) | (value & 0x3f);
    }
    into[at + word] = bits;
  }
}

function table(alphabet: string): Uint8Array {
  const values = new Uint8Array(128).fill(NONE);
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
  return values;
}
