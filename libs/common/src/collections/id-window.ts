import { randomFillSync } from 'node:crypto';
import { HASH_WORDS, UUID_WORDS, writeHash, writeUuid } from './id-keys';
import { Scopes } from './scopes';

/** What is remembered about an id. */
export interface WindowEntry {
  /** Its author: a UUID. */
  author: string;
  /** Hash of its content, base64url; may be empty. */
  hash: string;
  /** Its place in the log: a signed 64-bit number. */
  position: bigint;
  /** The time by which it leaves the window, in milliseconds of any clock. */
  atMs: number;
  /** A number that means something to the owner of the window. */
  tag?: number;
  /**
   * From this time on its content is not compared any more, in milliseconds of any clock; absent:
   * never.
   */
  endsAtMs?: number | null;
}

/**
 * Consecutive entries of a window, as they lie in it. An entry's scope is its number in `scopes`.
 * Tags and ends are not included.
 */
export interface IdRun {
  scopes: string[];
  /** {@link RUN_WORDS} of each entry. */
  words: Uint32Array;
  /** Ascending. */
  positions: BigInt64Array;
  times: Float64Array;
}

/** The capacity of a window. */
export interface WindowLimits {
  /**
   * An entry that is more than this much older than the newest one is forgotten, in milliseconds.
   */
  windowMs: number;
  /** The most entries; the oldest go first. */
  records: number;
}

/** Words of an entry: id, scope, author, hash. */
const SCOPE = UUID_WORDS;
const AUTHOR = SCOPE + 1;
const HASH = AUTHOR + UUID_WORDS;
const WORDS = HASH + HASH_WORDS;
const FIRST_CAPACITY = 256;

/** Words of an entry in a run. */
export const RUN_WORDS = WORDS;
/** Which of them is the scope's number. */
export const RUN_SCOPE = SCOPE;

/**
 * The ids (scope and UUID) of the newest entries of a sequence: first in, first out, bounded by
 * time and by number. An entry takes about 90 bytes in typed arrays and not a single object, so
 * hundreds of thousands of them cost the garbage collector nothing. Ids are compared in full, never
 * by a hash alone.
 *
 * A ring of entries, with a hash table over it that uses open addressing and linear probing (Knuth,
 * TAOCP 3, 6.4, algorithms L and R: a deletion moves later entries back). The table's hash is
 * multiply-shift with random keys (Dietzfelbinger et al. 1997), so that chosen ids do not pile up.
 *
 * A *slot*, as `find` returns it, is valid until the next `add`.
 */
export class IdWindow {
  private readonly scopes = new Scopes();
  private readonly keys = randomFillSync(new Uint32Array(UUID_WORDS + 1)).map((key) => key | 1);
  private readonly sought = new Uint32Array(WORDS);
  /** The entry that is being added. */
  private readonly incoming = new Uint32Array(WORDS);
  private capacity = 0;
  private words = new Uint32Array(0);
  private positions = new BigInt64Array(0);
  private times = new Float64Array(0);
  private tags = new Float64Array(0);
  private ends = new Float64Array(0);
  /** Slot + 1; 0: free. */
  private table = new Uint32Array(0);
  private shift = 32;
  private head = 0;
  private count = 0;
  private newestAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly limits: WindowLimits) {
    this.resize(Math.min(FIRST_CAPACITY, limits.records));
  }

  /** How many ids are held. */
  get size(): number {
    return this.count;
  }

  /** Memory of the arrays, in bytes. */
  get bytes(): number {
    const { words, positions, times, tags, ends, table } = this;
    return [words, positions, times, tags, ends, table].reduce(
      (sum, { byteLength }) => sum + byteLength,
      0,
    );
  }

  /** The slot of an id; -1 when it is not held. Throws RangeError when `id` is not a UUID. */
  find(scope: string, id: string): number {
    const number = this.scopes.find(scope);
    if (number < 0) return -1;
    writeUuid(id, this.sought, 0);
    this.sought[SCOPE] = number;
    return this.table[this.place()]! - 1;
  }

  /**
   * Adds an id unless it is held, and forgets what has left the window. Throws RangeError when an
   * id is not a UUID.
   */
  add(scope: string, id: string, entry: WindowEntry): void {
    writeUuid(id, this.incoming, 0);
    writeUuid(entry.author, this.incoming, AUTHOR);
    writeHash(entry.hash, this.incoming, HASH);
    this.takeIn(scope, entry);
  }

  /**
   * The entries at positions [from, to). Only for windows whose entries were added in the order of
   * their positions.
   */
  run(from: bigint, to: bigint): IdRun {
    const { capacity } = this;
    const at = (i: number): number => (this.head + i) % capacity;
    let begin = this.count;
    while (begin > 0 && this.positions[at(begin - 1)]! >= from) begin--;
    let end = this.count;
    while (end > begin && this.positions[at(end - 1)]! >= to) end--;
    const run = emptyRun(end - begin);
    const numbers = new Map<number, number>();
    for (let i = 0; i < end - begin; i++) {
      const slot = at(begin + i);
      run.words.set(this.words.subarray(slot * WORDS, (slot + 1) * WORDS), i * WORDS);
      run.positions[i] = this.positions[slot]!;
      run.times[i] = this.times[slot]!;
      const scope = this.words[slot * WORDS + SCOPE]!;
      let number = numbers.get(scope);
      if (number === undefined) {
        number = run.scopes.push(this.scopes.nameOf(scope)) - 1;
        numbers.set(scope, number);
      }
      run.words[i * WORDS + SCOPE] = number;
    }
    return run;
  }

  /** Adds the entries of a run, in order, as {@link add} does. */
  addRun({ scopes, words, positions, times }: IdRun): void {
    for (let i = 0; i < positions.length; i++) {
      this.incoming.set(words.subarray(i * WORDS, (i + 1) * WORDS));
      const scope = scopes[this.incoming[SCOPE]!]!;
      this.takeIn(scope, { position: positions[i]!, atMs: times[i]! });
    }
  }

  /** Adds the entry whose words are in `incoming`, all except its scope. */
  private takeIn(scope: string, entry: Omit<WindowEntry, 'author' | 'hash'>): void {
    const { incoming, sought } = this;
    sought.set(incoming);
    const number = this.scopes.find(scope);
    sought[SCOPE] = number;
    if (number >= 0 && this.table[this.place()] !== 0) return;
    if (this.count === this.limits.records) this.forgetOldest();
    if (this.count === this.capacity) {
      this.resize(Math.min(this.capacity * 2, this.limits.records));
    }
    incoming[SCOPE] = this.scopes.take(scope);
    const slot = (this.head + this.count) % this.capacity;
    this.words.set(incoming, slot * WORDS);
    this.positions[slot] = entry.position;
    this.times[slot] = entry.atMs;
    this.tags[slot] = entry.tag ?? 0;
    this.ends[slot] = entry.endsAtMs ?? Number.POSITIVE_INFINITY;
    sought.set(incoming);
    this.table[this.place()] = slot + 1;
    this.count += 1;
    if (entry.atMs > this.newestAtMs) this.newestAtMs = entry.atMs;
    this.forgetOlderThan(this.newestAtMs - this.limits.windowMs);
  }

  position(slot: number): bigint {
    return this.positions[slot]!;
  }

  atMs(slot: number): number {
    return this.times[slot]!;
  }

  tag(slot: number): number {
    return this.tags[slot]!;
  }

  /** When the entry expires, in Unix milliseconds; null: never. */
  endsAtMs(slot: number): number | null {
    const end = this.ends[slot]!;
    return end === Number.POSITIVE_INFINITY ? null : end;
  }

  /** Whether an entry has this author and content. `nowMs`: by the clock of its end. */
  isSame(
    slot: number,
    { author, hash }: Pick<WindowEntry, 'author' | 'hash'>,
    nowMs = Number.NEGATIVE_INFINITY,
  ): boolean {
    writeUuid(author, this.sought, AUTHOR);
    writeHash(hash, this.sought, HASH);
    const at = slot * WORDS;
    const to = this.ends[slot]! <= nowMs ? HASH : WORDS;
    for (let i = AUTHOR; i < to; i++) {
      if (this.words[at + i] !== this.sought[i]) return false;
    }
    return true;
  }

  private forgetOlderThan(atMs: number): void {
    while (this.count > 0 && this.times[this.head]! < atMs) this.forgetOldest();
  }

  private forgetOldest(): void {
    const { head } = this;
    this.sought.set(this.words.subarray(head * WORDS, head * WORDS + SCOPE + 1));
    this.vacate(this.place());
    this.scopes.drop(this.words[head * WORDS + SCOPE]!);
    this.head = head + 1 === this.capacity ? 0 : head + 1;
    this.count -= 1;
  }

  /** Where the id being looked up lies in the table, or would lie. */
  private place(): number {
    const { sought, words, table } = this;
    const mask = table.length - 1;
    for (let place = this.hash(sought, 0); ; place = (place + 1) & mask) {
      const slot = table[place]! - 1;
      if (slot < 0) return place;
      const at = slot * WORDS;
      if (
        words[at] === sought[0] &&
        words[at + 1] === sought[1] &&
        words[at + 2] === sought[2] &&
        words[at + 3] === sought[3] &&
        words[at + SCOPE] === sought[SCOPE]
      ) {
        return place;
      }
    }
  }

  /** Frees a place and moves back entries that would not be found any more. */
  private vacate(place: number): void {
    const { table, words } = this;
    const mask = table.length - 1;
    let hole = place;
    for (let next = (hole + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const home = this.hash(words, (table[next]! - 1) * WORDS);
      // It may move if its home does not lie between the hole and itself.
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      table[hole] = table[next]!;
      hole = next;
    }
    table[hole] = 0;
  }

  private hash(words: Uint32Array, at: number): number {
    const { keys } = this;
    const sum =
      Math.imul(words[at]!, keys[0]!) +
      Math.imul(words[at + 1]!, keys[1]!) +
      Math.imul(words[at + 2]!, keys[2]!) +
      Math.imul(words[at + 3]!, keys[3]!) +
      Math.imul(words[at + SCOPE]!, keys[4]!);
    return (sum | 0) >>> this.shift;
  }

  private resize(capacity: number): void {
    const { words, positions, times, tags, ends, head, count } = this;
    const before = this.capacity;
    this.capacity = capacity;
    this.words = new Uint32Array(capacity * WORDS);
    this.positions = new BigInt64Array(capacity);
    this.times = new Float64Array(capacity);
    this.tags = new Float64Array(capacity);
    this.ends = new Float64Array(capacity);
    const bits = Math.max(2, Math.ceil(Math.log2(capacity * 2)));
    this.table = new Uint32Array(2 ** bits);
    this.shift = 32 - bits;
    this.head = 0;
    const sought = this.sought.slice();
    for (let i = 0; i < count; i++) {
      const from = (head + i) % before;
      this.words.set(words.subarray(from * WORDS, (from + 1) * WORDS), i * WORDS);
      this.positions[i] = positions[from]!;
      this.times[i] = times[from]!;
      this.tags[i] = tags[from]!;
      this.ends[i] = ends[from]!;
      this.sought.set(words.subarray(from * WORDS, from * WORDS + SCOPE + 1));
      this.table[this.place()] = i + 1;
    }
    this.sought.set(sought);
  }
}

function emptyRun(entries: number): IdRun {
  return {
    scopes: [],
    words: new Uint32Array(entries * WORDS),
    positions: new BigInt64Array(entries),
    times: new Float64Array(entries),
  };
}
