import { Generations } from './generations';

/** Most conversations that one partition's chains remember. */
const CHAINED_CONVERSATIONS = 50_000;

/**
 * The last position of each conversation, as far as this assignment has read its partition. What it
 * does not know, it knows a bound for: a conversation without an entry has no record at or above
 * {@link floor} that was read.
 */
export class Chains {
  private readonly last: Generations<string, bigint>;
  private known: bigint;
  private newest: bigint;
  private oldClosed: bigint;

  /** `start`: the position at which the assignment began to read. */
  constructor(start: bigint, capacity = CHAINED_CONVERSATIONS) {
    this.known = start;
    this.newest = start - 1n;
    this.oldClosed = start;
    this.last = new Generations(capacity, () => this.turn());
  }

  /** A conversation that is not known here has no record from here on that was read. */
  get floor(): bigint {
    return this.known;
  }

  /** Position of the conversation's last record that was read; undefined: below the floor. */
  get(conversationId: string): bigint | undefined {
    return this.last.get(conversationId);
  }

  /** Notes a conversation's newest record; positions only rise. */
  set(conversationId: string, position: bigint): void {
    if (position > this.newest) this.newest = position;
    this.last.set(conversationId, position);
  }

  /** The dropped entries are not newer than the moment in which their generation became the old one. */
  private turn(): void {
    this.known = this.oldClosed;
    this.oldClosed = this.newest + 1n;
  }
}
