import { mayBeSameHash } from '@tidings/common/log-events/events';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import {
  authorOf,
  type ChangeEntry,
  type ConversationEntry,
  fingerprint,
  isDeletion,
  isExpired,
  type LogEntry,
  type MessageEntry,
} from './entry';
import { encodePush } from './frames';
import { afterChange, caughtUp, membership, recipientsAt, type Membership } from './members';
import type { PartitionState } from './partition-state';
import { deletionKeyOf, keyOf, type SeenKey } from './recent-ids';

/** A record to push: its frame, and who gets it. */
export interface Push {
  entry: LogEntry;
  /** JSON text. */
  frame: string;
  userIds: readonly string[];
  /** Everybody who is connected gets it, wherever that is. */
  toAll: boolean;
  /** The other member of a direct conversation, when the record is a message; else null. */
  receiver: string | null;
}

/** What storage knows of a conversation; `membership` null: it does not know the conversation. */
export interface StorageAnswer {
  membership: Membership | null;
  /** Last position below the chains' floor; null when storage had not applied that far. */
  previous: bigint | null;
  /** Some changes of members had no position yet: good for this batch, not to be remembered. */
  provisional?: boolean;
}

/** What the state lacks of one conversation to route this batch. */
export interface Missing {
  conversationId: string;
  members: boolean;
}

/** Counts of one batch. */
export interface DraftCounts {
  live: number;
  duplicates: number;
  previousUnknown: number;
  conversationUnknown: number;
}

/** A record that a step threw over, and what was thrown. */
export interface SetAside {
  entry: LogEntry;
  error: unknown;
}

/** One conversation as this batch sees it. Undefined: not known here, storage may know. */
interface Thread {
  conversationId: string;
  last: bigint | undefined;
  members: Membership | undefined;
  answer: StorageAnswer | undefined;
  /** Changes of the conversation in this batch. */
  changes: ConversationEntry[];
}

/** A record to push, with what was known when its turn came. */
interface Candidate {
  entry: LogEntry;
  thread: Thread;
  previous: bigint | undefined;
  members: Membership | undefined;
}

/**
 * What one batch does to a partition's state, kept aside until its pushes are in the inboxes:
 * `admit` every record, `learn` what is missing, `route`, append, `commit`. A draft that is dropped
 * instead leaves no trace, so the same records can be routed again.
 */
export class Draft {
  readonly counts: DraftCounts = {
    live: 0,
    duplicates: 0,
    previousUnknown: 0,
    conversationUnknown: 0,
  };
  /**
   * Records that a step threw over. They are steps of `previous`, so that whoever misses them sees a gap
   * and asks storage, but nobody is pushed anything of them.
   */
  readonly setAside: SetAside[] = [];
  /** Dropped messages and changes whose id stands for another one. */
  readonly conflicts: (MessageEntry | ChangeEntry)[] = [];
  private readonly candidates: Candidate[] = [];
  /** By scope and id, in log order. */
  private readonly newIds = new Map<string, { key: SeenKey; entry: LogEntry }>();
  private readonly threads = new Map<string, Thread>();
  private readonly lacking = new Map<Thread, Missing>();
  /** See {@link PartitionState.leastVersions}; of this batch. */
  private readonly leastVersions = new Map<string, number>();

  constructor(private readonly state: PartitionState) {}

  /**
   * Takes a record in, in log order; drops it when its id was seen at a lower position, and a change
   * behind the deletion of its message. What throws over it costs that record alone.
   */
  admit(entry: LogEntry): void {
    if (entry.offset < this.state.next) return;
    try {
      this.take(entry);
    } catch (error) {
      this.passOver(entry, error);
    }
  }

  private take(entry: LogEntry): void {
    const live = entry.offset >= this.state.liveFrom;
    const key = keyOf(entry);
    const first = this.seenBefore(key, entry);
    if (first) {
      if (live) this.countDuplicate(entry, first.same);
      return;
    }
    if (entry.kind === 'change' && this.isTooLate(entry)) {
      if (live) this.counts.duplicates++;
      return;
    }
    this.noteId(key, entry);
    const thread = this.thread(entry.event.conversationId);
    if (entry.kind === 'conversation') {
      thread.changes.push(entry);
      thread.members = afterChange(thread.members, entry.event, entry.position) ?? undefined;
    }
    const previous = thread.last ?? (isCreation(entry) ? 0n : undefined);
    thread.last = entry.position;
    if (!live) return;
    this.counts.live++;
    const { members } = thread;
    this.candidates.push({ entry, thread, previous, members });
    if (previous === undefined || members === undefined) this.noteMissing(thread);
  }

  /** What must be asked before {@link route}; a conversation without members can not go on. */
  missing(): Missing[] {
    return [...this.lacking.values()];
  }

  /**
   * Takes in what storage (or a copy of its data) knows of a missing conversation. When that throws,
   * nobody is pushed anything of this conversation in this batch.
   */
  learn(conversationId: string, answer: StorageAnswer): void {
    const thread = this.threads.get(conversationId);
    if (!thread) return;
    try {
      this.takeIn(thread, answer);
    } catch (error) {
      thread.answer = { membership: null, previous: null };
      const lost = this.candidates.filter((one) => one.thread === thread && !one.members);
      for (const { entry } of lost) this.setAside.push({ entry, error });
    }
  }

  private takeIn(thread: Thread, answer: StorageAnswer): void {
    if (!answer.membership) {
      thread.answer = answer;
      return;
    }
    if (answer.membership.version < (this.leastVersion(thread.conversationId) ?? 0)) return;
    const now = caughtUp(answer.membership, thread.changes);
    // A copy from before a change that is not here: who is in is still not known.
    if (!now) return;
    thread.answer = { ...answer, membership: now.membership };
    if (now.exact && !answer.provisional) thread.members ??= now.membership;
  }

  /** Whether some record's recipients are still not known. */
  blocked(): boolean {
    for (const [thread, missing] of this.lacking) {
      if (missing.members && !thread.answer) return true;
    }
    return false;
  }

  /**
   * The pushes of the batch in log order. What has expired at `nowMs` (Unix milliseconds) is a step of
   * the chain, but goes to nobody: whoever misses it asks storage, whose clock decides.
   */
  route(nowMs: number): Push[] {
    return this.candidates.flatMap((candidate) => {
      try {
        return [this.push(candidate, nowMs)];
      } catch (error) {
        this.setAside.push({ entry: candidate.entry, error });
        return [];
      }
    });
  }

  /** Makes the batch part of the state. `next`: the offset after it. */
  commit(next: bigint): void {
    const { state } = this;
    for (const { key, entry } of this.newIds.values()) {
      try {
        state.recentIds.add(key, entry);
      } catch (error) {
        // its repetitions are pushed again, which clients merge
        this.setAside.push({ entry, error });
      }
    }
    for (const { conversationId, last, members } of this.threads.values()) {
      if (last !== undefined) state.chains.set(conversationId, last);
      if (members) state.members.set(conversationId, members);
      else state.members.delete(conversationId);
    }
    for (const [conversationId, version] of this.leastVersions) {
      state.leastVersions.set(conversationId, version);
    }
    if (next > state.next) state.next = next;
  }

  /**
   * Makes a record a step of its conversation and nothing else. Who is in is not known behind a change
   * that was passed over, until storage has applied it: nobody may be pushed what is not theirs.
   */
  private passOver(entry: LogEntry, error: unknown): void {
    if (entry.offset >= this.state.liveFrom) this.setAside.push({ entry, error });
    const { conversationId } = entry.event;
    const thread = this.thread(conversationId);
    thread.last = entry.position;
    if (entry.kind !== 'conversation') return;
    thread.members = undefined;
    thread.changes = thread.changes.filter((change) => change !== entry);
    const least = Math.max(entry.event.version, this.leastVersion(conversationId) ?? 0);
    this.leastVersions.set(conversationId, least);
  }

  private leastVersion(conversationId: string): number | undefined {
    return this.leastVersions.get(conversationId) ?? this.state.leastVersions.get(conversationId);
  }

  private push({ entry, thread, ...known }: Candidate, nowMs: number): Push {
    const previous = known.previous ?? thread.answer?.previous ?? null;
    if (previous === null) this.counts.previousUnknown++;
    const members = known.members ?? thread.answer?.membership ?? null;
    if (members === null) this.counts.conversationUnknown++;
    const begun = entry.kind === 'change' ? BigInt(entry.event.position) : entry.position;
    const shown = members !== null && !isExpired(entry, nowMs);
    const userIds = shown ? recipientsAt(members, entry.position, begun) : [];
    const direct = members?.kind === 'direct' && entry.kind === 'message';
    const receiver = direct ? userIds.find((id) => id !== entry.event.senderId) : undefined;
    const toAll = shown && members.kind === 'everyone';
    const frame = encodePush(entry, previous);
    return { entry, frame, userIds, toAll, receiver: receiver ?? null };
  }

  private thread(conversationId: string): Thread {
    let thread = this.threads.get(conversationId);
    if (!thread) {
      const last = this.state.chains.get(conversationId);
      const members = this.state.members.get(conversationId) ?? knownOf(conversationId);
      thread = { conversationId, last, members, answer: undefined, changes: [] };
      this.threads.set(conversationId, thread);
    }
    return thread;
  }

  private seenBefore(key: SeenKey, entry: LogEntry): { same: boolean } | undefined {
    const first = this.newIds.get(key.scope + key.id)?.entry;
    if (!first) return this.state.recentIds.before(key, entry);
    if (first.position >= entry.position) return undefined;
    return { same: isSame(first, entry) };
  }

  /** Whether a change comes behind the deletion of its message; a deletion is remembered. */
  private isTooLate(entry: ChangeEntry): boolean {
    const key = deletionKeyOf(entry);
    if (this.seenBefore(key, entry)) return true;
    if (isDeletion(entry)) this.noteId(key, entry);
    return false;
  }

  private noteId(key: SeenKey, entry: LogEntry): void {
    this.newIds.set(key.scope + key.id, { key, entry });
  }

  private noteMissing(thread: Thread): void {
    const { conversationId } = thread;
    const members = thread.members === undefined;
    const known = this.lacking.get(thread);
    if (known) known.members ||= members;
    else this.lacking.set(thread, { conversationId, members });
  }

  private countDuplicate(entry: LogEntry, same: boolean): void {
    this.counts.duplicates++;
    if (!same && entry.kind !== 'conversation') this.conflicts.push(entry);
  }
}

/** Of the conversation of everybody it is known who is in. */
const EVERYBODY = membership('everyone', 0, []);

function knownOf(conversationId: string): Membership | undefined {
  return conversationId === EVERYONE_ID ? EVERYBODY : undefined;
}

function isSame(first: LogEntry, second: LogEntry): boolean {
  if (authorOf(first) !== authorOf(second)) return false;
  return mayBeSameHash(fingerprint(first), fingerprint(second));
}

function isCreation(entry: LogEntry): boolean {
  return entry.kind === 'conversation' && entry.event.change.kind === 'created';
}
