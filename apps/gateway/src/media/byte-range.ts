/** The bytes to send, both ends included; `whole`: no range is asked for, or it may be ignored. */
export type RangeAnswer = 'whole' | 'unsatisfiable' | { start: number; end: number };

/**
 * Reads a `Range` header (RFC 9110 §14.2) for an object of `size` bytes. One range is answered;
 * several, other units and nonsense are ignored, as the RFC allows.
 */
export function readRange(header: string | undefined, size: number): RangeAnswer {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match) return 'whole';
  const [, first, last] = match as unknown as [string, string, string];
  if (first === '') return suffix(last, size);
  const start = Number(first);
  const end = last === '' ? size - 1 : Number(last);
  if (last !== '' && end < start) return 'whole';
  if (start >= size) return 'unsatisfiable';
  return { start, end: Math.min(end, size - 1) };
}

/** The last `length` bytes. */
function suffix(length: string, size: number): RangeAnswer {
  if (length === '') return 'whole';
  const wanted = Number(length);
  if (wanted === 0 || size === 0) return 'unsatisfiable';
  return { start: Math.max(0, size - wanted), end: size - 1 };
}

/** Whether an `If-None-Match` header (RFC 9110 §13.1.2) names this entity tag, quotes included. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}
