import type { ReceiptView, STORAGE_RPC } from '@tidings/common/rpc/calls';
import type { DatedMarks, MemberMarks } from '@tidings/common/log-events/receipt-batch';
import { coversMarks, mergeMarks } from '@tidings/protocol/receipt-marks';
import type { MemberCache } from '@tidings/common/redis/members';
import type { RpcClient } from '@tidings/common/rpc/rpc-client';
import { LRUCache } from 'lru-cache';

/** Longest wait for storage, and how long it is left alone after a failure, in milliseconds. */
const WAIT_MS = 300;
const AWAY_MS = 1_000;
/** Members per call. */
const PER_CALL = 500;
/** Members whose last view is remembered. */
const REMEMBERED = 20_000;

type Storage = Pick<RpcClient<typeof STORAGE_RPC>, 'call'>;
type Views = (ReceiptView | null)[];

interface Question {
  members: readonly DatedMarks[];
  answer(views: Views | null): void;
}

/**
 * Who is to be told of a member's marks, and what: from storage, in one call at a time for all
 * partitions. While storage is away, from the last view of that member, as far as Redis says that
 * the others are still present and not blocked (that it says of direct conversations alone: the
 * others of a group are told nothing then); what neither knows is not pushed (the next sync shows it).
 */
export class ReceiptSource {
  private readonly remembered = new LRUCache<string, ReceiptView>({ max: REMEMBERED });
  private questions: Question[] = [];
  private asking = false;
  private awayUntil = 0;

  constructor(
    private readonly storage: Storage,
    private readonly copies: Pick<MemberCache, 'get'>,
    private readonly failed: (error: unknown) => void,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Views aligned with the members; null: nobody is to be told. Throws `RedisUnavailable`. */
  async find(members: readonly DatedMarks[]): Promise<Views> {
    const parts: Promise<Views>[] = [];
    for (let i = 0; i < members.length; i += PER_CALL) {
      const part = members.slice(i, i + PER_CALL);
      parts.push(this.ask(part).then((views) => this.settled(part, views)));
    }
    return (await Promise.all(parts)).flat();
  }

  /** Whether this view says no more than what was pushed before. */
  isOld(member: MemberMarks, view: ReceiptView): boolean {
    const known = this.remembered.get(keyOf(member));
    return known !== undefined && coversMarks(known, view);
  }

  /** The `delivered` that was pushed last; undefined: not known. */
  pushedBefore(member: MemberMarks): string | undefined {
    return this.remembered.get(keyOf(member))?.delivered;
  }

  /** A view was pushed. */
  pushed(member: MemberMarks, { others, ...view }: ReceiptView): void {
    const marks = mergeMarks(view, {});
    this.remembered.set(keyOf(member), { others, ...marks, deliveredBefore: marks.delivered });
  }

  private settled(members: readonly MemberMarks[], views: Views | null): Views | Promise<Views> {
    if (!views) return this.recall(members);
    return members.map((member, i) => {
      const view = views[i];
      return view ? this.raised(member, view) : null;
    });
  }

  /** Storage may not have applied yet what was pushed already: what is told never falls. */
  private raised(member: MemberMarks, view: ReceiptView): ReceiptView {
    const known = this.remembered.get(keyOf(member));
    if (!known) return view;
    const { unread, upTo, ...rest } = view;
    const marks = mergeMarks(view, known);
    // A count belongs to the mark that it was made for.
    return { ...rest, ...marks, ...(marks.read === view.read && { unread, upTo }) };
  }

  private ask(members: readonly DatedMarks[]): Promise<Views | null> {
    return new Promise((answer) => {
      this.questions.push({ members, answer });
      if (this.asking) return;
      this.asking = true;
      // The partitions of one fetch come in one turn: they are asked about together.
      setImmediate(() => void this.work());
    });
  }

  private async work(): Promise<void> {
    while (this.questions.length > 0) {
      const group = takeFitting(this.questions, 2 * PER_CALL);
      const views = await this.call(group.flatMap((q) => q.members));
      let from = 0;
      for (const { members, answer } of group) {
        answer(views && views.slice(from, from + members.length));
        from += members.length;
      }
    }
    this.asking = false;
  }

  private async call(members: readonly DatedMarks[]): Promise<Views | null> {
    if (this.clock() < this.awayUntil) return null;
    const items = members.map(({ conversationId, userId, delivered, read, at }) => {
      return { conversationId, userId, delivered, read, at };
    });
    try {
      const answer = await this.storage.call('receipts.view', { items }, { timeoutMs: WAIT_MS });
      return answer.items;
    } catch (error) {
      this.awayUntil = this.clock() + AWAY_MS;
      this.failed(error);
      return null;
    }
  }

  private async recall(members: readonly MemberMarks[]): Promise<Views> {
    const copies = await this.copies.get(members.map((m) => m.conversationId));
    return members.map((member, i) => {
      const known = this.remembered.get(keyOf(member));
      const copy = copies[i];
      const present = copy?.members.filter((m) => m.until === null).map((m) => m.userId);
      if (!known || !present?.includes(member.userId)) return null;
      // Redis tells of direct conversations only who blocks whom; in groups the others wait.
      const told = copy?.kind === 'direct' ? without(present, copy.blocked) : [];
      const others = known.others.filter((o) => told.includes(o.userId));
      return { others, deliveredBefore: known.delivered, ...mergeMarks(known, member) };
    });
  }
}

function without(userIds: readonly string[], left: readonly string[] = []): readonly string[] {
  return userIds.filter((userId) => !left.includes(userId));
}

/** Takes the first question, and those behind it that fit into the same call. */
function takeFitting(questions: Question[], most: number): Question[] {
  let count = 0;
  let size = 0;
  for (const { members } of questions) {
    size += members.length;
    if (count > 0 && size > most) break;
    count++;
  }
  return questions.splice(0, count);
}

function keyOf({ conversationId, userId }: MemberMarks): string {
  return conversationId + userId;
}
