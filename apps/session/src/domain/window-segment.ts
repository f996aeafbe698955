import { RUN_SCOPE, RUN_WORDS, type IdRun } from '@tidings/common/collections/id-window';

/** What the window of a partition holds of the offsets [from, next): a function of the log alone. */
export interface WindowSegment {
  from: bigint;
  next: bigint;
  run: IdRun;
}

/** Layout and byte order: a process that reads it otherwise takes the log instead. */
const FORMAT = 0x57_69_64_01;
/** Format, number of entries, bytes of the scopes, nothing; then `from` and `next`. */
const HEAD_BYTES = 32;
const WORD_BYTES = 4;
const NUMBER_BYTES = 8;
const ENTRY_BYTES = 2 * NUMBER_BYTES + RUN_WORDS * WORD_BYTES;

/** A segment as bytes: head, positions, times, words, then the scopes in lines. */
export function encodeSegment({ from, next, run }: WindowSegment): Buffer {
  const scopes = Buffer.from(run.scopes.join('\n'));
  const count = run.positions.length;
  const bytes = new ArrayBuffer(HEAD_BYTES + count * ENTRY_BYTES + scopes.length);
  new Uint32Array(bytes, 0, 4).set([FORMAT, count, scopes.length, 0]);
  new BigInt64Array(bytes, 2 * NUMBER_BYTES, 2).set([from, next]);
  const views = viewsOf(bytes, count);
  views.positions.set(run.positions);
  views.times.set(run.times);
  views.words.set(run.words);
  const encoded = Buffer.from(bytes);
  scopes.copy(encoded, encoded.length - scopes.length);
  return encoded;
}

/** The segment of these bytes; null when they are none. */
export function decodeSegment(encoded: Buffer): WindowSegment | null {
  if (encoded.length < HEAD_BYTES) return null;
  // a copy, so that the numbers lie where they may
  const bytes = new Uint8Array(encoded).buffer;
  const [format, count = 0, scopeBytes = 0] = new Uint32Array(bytes, 0, 4);
  if (format !== FORMAT) return null;
  if (encoded.length !== HEAD_BYTES + count * ENTRY_BYTES + scopeBytes) return null;
  const [from = 0n, next = 0n] = new BigInt64Array(bytes, 2 * NUMBER_BYTES, 2);
  const text = encoded.toString('utf8', encoded.length - scopeBytes);
  const run = { scopes: text === '' ? [] : text.split('\n'), ...viewsOf(bytes, count) };
  return scopesAreKnown(run) ? { from, next, run } : null;
}

/** The entries of a run at positions [from, to). */
export function cutRun(
  { scopes, words, positions, times }: IdRun,
  from: bigint,
  to: bigint,
): IdRun {
  let begin = 0;
  let end = positions.length;
  while (begin < end && positions[begin]! < from) begin++;
  while (end > begin && positions[end - 1]! >= to) end--;
  return {
    scopes,
    words: words.subarray(begin * RUN_WORDS, end * RUN_WORDS),
    positions: positions.subarray(begin, end),
    times: times.subarray(begin, end),
  };
}

/** The scope of an entry of a run. */
export function scopeAt({ scopes, words }: IdRun, entry: number): string {
  return scopes[words[entry * RUN_WORDS + RUN_SCOPE]!]!;
}

function viewsOf(bytes: ArrayBuffer, count: number): Omit<IdRun, 'scopes'> {
  const times = HEAD_BYTES + count * NUMBER_BYTES;
  const words = times + count * NUMBER_BYTES;
  return {
    positions: new BigInt64Array(bytes, HEAD_BYTES, count),
    times: new Float64Array(bytes, times, count),
    words: new Uint32Array(bytes, words, count * RUN_WORDS),
  };
}

function scopesAreKnown({ scopes, words, positions }: Omit<IdRun, 'times'>): boolean {
  for (let i = 0; i < positions.length; i++) {
    if (words[i * RUN_WORDS + RUN_SCOPE]! >= scopes.length) return false;
  }
  return true;
}
