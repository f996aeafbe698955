const encoder = new TextEncoder();

/** Length of a string in bytes of UTF-8. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/** Whether a string is at most `limit` bytes of UTF-8, without encoding it when that is plain. */
export function fitsBytes(text: string, limit: number): boolean {
  if (text.length > limit) return false;
  if (text.length * 3 <= limit) return true;
  return utf8Bytes(text) <= limit;
}

/** Whether PostgreSQL can keep this string as it is: no NUL, no lone surrogates. */
export function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}
