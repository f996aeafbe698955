import { DIGEST_LENGTH, type DigestEntry } from '@tidings/protocol/digest';
import type { HistoryMode, Message } from '@tidings/protocol/content';
import type { SyncedConversation } from '@tidings/protocol/frames';
import { comparePositions, maxPosition } from '@tidings/protocol/positions';
import { Spans } from './spans';
import { Timeline, type MergeResult } from './timeline';

/** An entry of a conversation that the server pushed. */
export interface PushedEntry {
  message: Message;
  /** Position of the pushed record: that of the message, or of the change. */
  at: string;
  /** Position of the preceding record. "0": this is the first. Null: unknown. */
  previous: string | null;
  /** On the entry that adds this user: what they can see from then on. */
  begins?: HistoryMode;
}

/** A pushed record that does not yet follow what is held; its message is in the timeline. */
interface OutOfChain {
  messageId: string;
  at: string;
  previous: string | null;
}

/** What a merge changed, as the application should hear about it. */
export interface Change {
  kind: 'new' | 'changed';
  message: Message;
}

/**
 * One conversation as this client holds it. Pure: no clock, no I/O. It implements "What a client
 * must do" of docs/PROTOCOL.md §6: merging by id, order by position, `have` and its runs.
 */
export class ConversationModel {
  private readonly timeline = new Timeline();
  private readonly spans = new Spans();
  /** Pushed records that do not yet follow what is held. */
  private outOfChain: OutOfChain[] = [];
  private member = true;
  /** Position of the latest known entry that removed this user. */
  private leftAt = '0';
  /** Position of the latest pushed entry that added this user. */
  private joinedAt = '0';
  /** The latest position as of which the server has said that this user is a member. */
  private memberAsOf = '0';
  /** Up to here the server has delivered everything that is visible. */
  private confirmedUpTo = '0';
  /** Nothing before this position is visible to this user. */
  private visibleFrom = '0';
  /** A member again, since an unknown position: what is held may be from an earlier membership. */
  private joinedAtUnknown = false;
  private trustsUnknown = true;
  /** `have` at the start of the connection in use: anything above was pushed or served by it. */
  private haveAtConnect = '0';

  constructor(readonly conversationId: string) {}

  /** A new connection. */
  connected(): void {
    this.haveAtConnect = this.have;
  }

  /**
   * Whether an entry with an unknown predecessor may count as following. Not before the first sync
   * of a connection has ended: if the socket died first, what was missed would never be requested
   * again.
   */
  set trustUnknown(trusting: boolean) {
    this.trustsUnknown = trusting;
    this.catchUp();
  }

  /** Everything up to here is held, except what `more` left out. */
  get have(): string {
    return this.spans.have;
  }

  /** Whether the server has delivered it in `synced`, or it was seen from its first record on. */
  get known(): boolean {
    return this.spans.newest !== null || this.gone;
  }

  /** This user is not (or no longer) a member. The local copy stays. */
  get gone(): boolean {
    return !this.member;
  }

  /**
   * Not a member, as far as known, or one again since an unknown position: what is held may be old.
   */
  get away(): boolean {
    return this.gone || this.joinedAtUnknown;
  }

  /** As of this position this user is certainly a member, unless {@link gone}. */
  get memberAt(): string {
    return maxPosition(this.joinedAt, this.memberAsOf);
  }

  /** Whether pushed entries wait because a record before them is missing. */
  get gap(): boolean {
    return this.outOfChain.length > 0 && !this.gone;
  }

  /** Whether there may be messages older than {@link messages}. */
  get hasOlder(): boolean {
    return this.spans.newest?.from !== '0';
  }

  /** Position before which to request older messages; null: all are held, or none. */
  get oldest(): string | null {
    return this.hasOlder ? (this.spans.newest?.from ?? null) : null;
  }

  /**
   * The messages to show, oldest first: the newest run without gaps, and what was pushed after it.
   */
  messages(): Message[] {
    const newest = this.spans.newest;
    return this.timeline.from(newest?.from ?? '0').filter((m) => {
      const beyond = !newest || comparePositions(m.position, newest.to) > 0;
      return !beyond || !this.timeline.onlyChange(m.messageId);
    });
  }

  /** The messages held above a position. `whole`: none of those up to {@link have} is missing. */
  above(position: string): { messages: Message[]; whole: boolean } {
    const next = String(BigInt(position) + 1n);
    const newest = this.spans.newest;
    const whole = newest !== null && comparePositions(newest.from, next) <= 0;
    return { messages: this.timeline.from(next), whole };
  }

  /** A held message, shown or not. */
  message(messageId: string): Message | undefined {
    return this.timeline.get(messageId);
  }

  /** The complete runs held, oldest first. */
  runs(): { from: string; to: string }[] {
    return this.spans.all();
  }

  /** Takes a pushed entry. */
  push(entry: PushedEntry): Change[] {
    const isChange = entry.at !== entry.message.position;
    const hidden = this.isHidden(entry.message);
    if (hidden && !isChange) return [];
    if (entry.begins) this.join(entry.at, entry.begins);
    const changes = hidden
      ? []
      : report(entry.message, this.timeline.merge(entry.message, isChange));
    // Between leaving and returning there may be anything: "unknown" cannot stand for "nothing".
    const unsure = !this.member && entry.previous === null;
    if (!this.member && comparePositions(entry.at, this.leftAt) > 0) {
      this.member = true;
      this.joinedAtUnknown = !entry.begins;
    }
    if (this.follows(entry) && !unsure) {
      this.raise(entry);
      this.catchUp();
    } else {
      const { at, previous, message } = entry;
      this.outOfChain.push({ messageId: message.messageId, at, previous });
    }
    return changes;
  }

  /**
   * Takes the answer to a sync. `asked` is the position that the request listed; null when the
   * conversation was not listed.
   */
  serve(answer: SyncedConversation, asked: string | null): Change[] {
    if (answer.state === 'gone') {
      this.leave(answer.upTo);
      return [];
    }
    // An answer from before the current membership.
    if (comparePositions(answer.upTo, this.visibleFrom) < 0) return [];
    const current = comparePositions(answer.upTo, this.leftAt) > 0;
    if (current) this.memberAsOf = maxPosition(this.memberAsOf, answer.upTo);
    const back = current && this.away;
    this.member ||= current;
    if (current) this.joinedAtUnknown = false;
    if (answer.state === 'reset' || (back && answer.state === 'new')) {
      // What lies between the end and the listed position is unknown to the server; a copy,
      // perhaps.
      const listed = answer.state === 'reset' ? (asked ?? '0') : '0';
      this.timeline.forgetUpTo(maxPosition(answer.upTo, listed));
      this.spans.forgetBelow(answer.upTo);
    }
    const changes = answer.messages.flatMap((m) => report(m, this.timeline.merge(m, false)));
    // Anything else held up to there is from an earlier membership, or has expired.
    if (answer.state === 'new' && !answer.more) {
      this.timeline.keepOnly(new Set(answer.messages.map((m) => m.messageId)), answer.upTo);
    }
    const from = this.servedFrom(answer, asked);
    if ((answer.state === 'new' || answer.state === 'reset') && from === '0') {
      this.confirmedUpTo = maxPosition(this.confirmedUpTo, answer.upTo);
    }
    // An answer for a new device says nothing about changes to what was held before it connected.
    if (answer.state === 'new' && this.haveAtConnect !== '0')
      this.spans.forgetUpTo(this.haveAtConnect);
    // Nor about what was pushed since, when the chain of pushes does not reach its end.
    if (answer.state === 'new' && comparePositions(this.have, answer.upTo) < 0) {
      this.spans.forgetBelow(from);
    }
    if (comparePositions(from, answer.upTo) <= 0) this.spans.add(from, answer.upTo);
    this.catchUp();
    return changes;
  }

  /** Where the complete run begins that ends with the answer's `upTo`. */
  private servedFrom(answer: SyncedConversation, asked: string | null): string {
    const { state, messages, more, upTo } = answer;
    if (state === 'reset') {
      // These are the newest messages, whatever their versions.
      const whole = !more && messages.length < DIGEST_LENGTH;
      return whole ? '0' : (messages[0]?.position ?? upTo);
    }
    if (!more) {
      if (state === 'new') return '0';
      if (asked !== null) return asked;
      if (this.spans.newest) return minPosition(this.have, upTo);
    }
    // A message that was never changed, or lies above our position, is one of "the newest above
    // it": from there on nothing was left out. Older ones may be here only because they were
    // changed.
    const bound = asked ?? this.have;
    const first = messages.find(
      (m) => m.version === '0' || comparePositions(m.position, bound) > 0,
    );
    return first?.position ?? upTo;
  }

  /** Takes a page of the history, ascending. `more` is that of its answer. */
  page(
    items: readonly Message[],
    asked: { before?: string; after?: string },
    more: boolean,
  ): Change[] {
    const changes = items.flatMap((m) => report(m, this.timeline.merge(m, false)));
    if (asked.after !== undefined) return changes;
    const bound = asked.before !== undefined && this.spans.covers(asked.before);
    const from = more ? items[0]?.position : '0';
    const end = bound ? asked.before : items.at(-1)?.position;
    if (from === undefined || end === undefined || !this.spans.newest) return changes;
    const to = minPosition(end, this.have);
    if (comparePositions(from, to) <= 0) this.spans.add(from, to);
    // Anything held before the very first message is from an earlier membership, or has expired.
    const first = items[0]?.position ?? asked.before;
    if (!more && first !== undefined && bound) this.timeline.forgetUpTo(String(BigInt(first) - 1n));
    return changes;
  }

  /**
   * This user is not a member from a position on; what is held stays. Ignored when they became a
   * member again later.
   */
  leave(at = maxPosition(this.have, this.memberAt)): void {
    if (comparePositions(at, this.memberAt) < 0) return;
    this.leftAt = maxPosition(this.leftAt, at);
    this.member = false;
    this.outOfChain = [];
  }

  /** Takes one of this user's messages, whose position the server has confirmed. */
  sent(message: Message): Change[] {
    if (comparePositions(message.position, this.visibleFrom) < 0) {
      this.timeline.remove(message.messageId);
      return [];
    }
    return report(message, this.timeline.confirm(message));
  }

  /**
   * Drops one of this user's messages that turned out to be void (`message_id_conflict` after
   * `sent`).
   */
  drop(messageId: string): void {
    this.timeline.remove(messageId);
    this.outOfChain = this.outOfChain.filter((e) => e.messageId !== messageId);
  }

  /** Drops an expired message; its place in the chain of records stays. */
  expire(messageId: string): Message | undefined {
    const message = this.timeline.get(messageId);
    this.timeline.remove(messageId);
    return message;
  }

  /**
   * What the state digest at `have` covers. Null when the newest run is too short to tell, or holds
   * changes that the server does not expect yet.
   *
   * @param asOf Unix milliseconds on the server: what has expired by then does not count
   */
  digestEntries(asOf: number): DigestEntry[] | null {
    const newest = this.spans.newest;
    if (!newest) return null;
    const run = this.timeline
      .from(newest.from)
      .filter((m) => comparePositions(m.position, newest.to) <= 0 && !expired(m, asOf))
      .slice(-DIGEST_LENGTH);
    if (run.length < DIGEST_LENGTH && newest.from !== '0') return null;
    return run.some((m) => comparePositions(m.version, newest.to) > 0) ? null : run;
  }

  /** A late push: the server has delivered everything visible around it, and it was not there. */
  private isHidden({ messageId, position }: Message): boolean {
    return comparePositions(position, this.confirmedUpTo) <= 0 && !this.timeline.get(messageId);
  }

  /** The entry at this position adds this user. What they can see may begin there. */
  private join(at: string, history: HistoryMode): void {
    if (comparePositions(at, this.joinedAt) <= 0) return;
    this.joinedAt = at;
    if (history === 'all') return;
    this.visibleFrom = at;
    this.timeline.forgetUpTo(String(BigInt(at) - 1n));
    this.outOfChain = this.outOfChain.filter((e) => comparePositions(e.at, at) > 0);
    this.spans.forgetBelow(at);
    this.spans.add('0', at);
  }

  /** Raises `have` over entries outside the chain that follow it now. */
  private catchUp(): void {
    if (this.outOfChain.length === 0) return;
    this.outOfChain.sort((a, b) => comparePositions(a.at, b.at));
    this.outOfChain = this.outOfChain.filter((entry) => {
      const follows = this.follows(entry);
      if (follows) this.raise(entry);
      return !follows;
    });
  }

  private raise(entry: Omit<OutOfChain, 'messageId'>): void {
    if (comparePositions(entry.at, this.have) <= 0) return;
    this.spans.add(this.spans.newest?.from ?? '0', entry.at);
  }

  private follows(entry: Omit<OutOfChain, 'messageId'>): boolean {
    if (comparePositions(entry.at, this.have) <= 0) return true;
    if (!this.spans.newest) return entry.previous === '0';
    if (entry.previous === null) return this.trustsUnknown;
    return comparePositions(entry.previous, this.have) <= 0;
  }
}

function report(message: Message, result: MergeResult): Change[] {
  return result === 'same' ? [] : [{ kind: result, message }];
}

function minPosition(a: string, b: string): string {
  return maxPosition(a, b) === a ? b : a;
}

function expired(message: Message, asOf: number): boolean {
  return message.expiresAt !== undefined && Date.parse(message.expiresAt) <= asOf;
}
