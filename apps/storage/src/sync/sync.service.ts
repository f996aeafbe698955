import { Injectable } from '@nestjs/common';
import type { SyncedBody, SyncRequest } from '@tidings/protocol/frames';
import type { Barrier } from '@tidings/common/rpc/calls';
import type { Sql } from '../database/database';
import { decodeSince, encodeSince, type Since } from '../domain/since';
import { stateDigest } from '../domain/state-digest';
import {
  answerLength,
  type Draft,
  fitConversation,
  packBodies,
  type Sized,
  sized,
} from '../domain/sync-bodies';
import { continuationOf, cutToBudget, type Half } from '../domain/sync-parts';
import {
  type Candidate,
  chooseConversations,
  type Gone,
  isListed,
  type Membership,
  planConversation,
  type Planned,
  syncTask,
  type SyncTask,
} from '../domain/sync-plan';
import { LogState } from '../log/log-state';
import { Progress, type ProgressTarget } from '../log/progress';
import { sha256 } from '../messages/message.mapper';
import { type Counted, StateKeeper } from './state-keeper';
import {
  type Measures,
  type Memberships,
  type ServedMessages,
  SyncRepository,
} from './sync.repository';

/** How long a sync waits for its read barrier, in milliseconds. */
const BARRIER_WITHIN_MS = 2_000;
/**
 * How long it waits before its first look for what this instance itself is about to apply, in
 * milliseconds: that costs no statement, a look in vain does.
 */
const OWN_WITHIN_MS = 50;
/** How far a client's estimate of the server's time may be off, in milliseconds. */
const AS_OF_LIMIT_MS = 5 * 60_000;

/** The bodies of an answer as JSON texts, and what was counted for it. */
interface Answer {
  bodies: string[];
  delayed: boolean;
  counted: Counted[];
}

/** One sync on its way. */
interface Sync {
  userId: string;
  task: SyncTask;
  barrier: Barrier | null;
  asOf: Date;
}

/** What a snapshot lacks of the read barrier. */
interface Lack {
  lacks: ProgressTarget[];
}

/**
 * Answers `sync` (docs/PROTOCOL.md) from one snapshot that has applied the read barrier in the
 * partitions of the user's conversations: at most three statements. Which partitions these are the
 * snapshot says itself; one that lacks something is given up, and another one taken when it is applied.
 */
@Injectable()
export class SyncService {
  constructor(
    private readonly repository: SyncRepository,
    private readonly progress: Progress,
    private readonly log: LogState,
    private readonly keeper: StateKeeper,
  ) {}

  /**
   * The bodies of the answer's frames, as JSON texts. Without a barrier, or when it is not reached:
   * `delayed`.
   */
  async answer(
    userId: string,
    request: SyncRequest,
    barrier: Barrier | null,
  ): Promise<Pick<Answer, 'bodies' | 'delayed'>> {
    const since = request.since === undefined ? null : this.decode(userId, request.since);
    const task = syncTask(request, since);
    const sync = { userId, task, barrier, asOf: comparingTime(request.asOf, Date.now()) };
    const deadline = performance.now() + BARRIER_WITHIN_MS;
    await this.waitForOwn(sync);
    for (let last = false; ;) {
      const answer = await this.repository.snapshot((sql) => this.read(sql, sync, last));
      if (!('lacks' in answer)) {
        const { bodies, delayed, counted } = answer;
        this.keeper.keep(counted);
        return { bodies, delayed };
      }
      const reached = await this.progress.wait(answer.lacks, deadline - performance.now());
      last = !reached || performance.now() >= deadline;
    }
  }

  private decode(userId: string, text: string): Since | null {
    const { epoch, partitions } = this.log;
    return decodeSince(sha256, text, { userId, epoch, partitions });
  }

  /** Waits a little for what this instance itself applies, whether the user is in it or not. */
  private async waitForOwn({ barrier, task }: Sync): Promise<void> {
    if (!barrier || task.barrierTaken) return;
    const own = targetsOf(barrier).filter(({ partition }) => this.progress.applies(partition));
    await this.progress.wait(own, OWN_WITHIN_MS);
  }

  /**
   * What a snapshot lacks of the barrier in the partitions that the answer depends on, and whether
   * there is one whose barrier nobody could tell.
   */
  private judge(
    { barrier, task }: Sync,
    { applied, partitions }: Pick<Memberships, 'applied' | 'partitions'>,
  ): Lack & { unknown: boolean } {
    if (task.barrierTaken) return { lacks: [], unknown: false };
    if (!barrier) return { lacks: [], unknown: true };
    const lacks = targetsOf(barrier).filter(
      ({ partition, next }) => partitions.has(partition) && applied[partition]! < next,
    );
    return { lacks, unknown: [...partitions].some((p) => barrier[p] == null) };
  }

  /** Which partitions an answer depends on: all of the user's, or those of what is listed only. */
  private partitionsOf(task: SyncTask, found: Memberships): ReadonlySet<number> {
    if (task.mode !== 'listed') return found.partitions;
    const owed = found.memberships.map((m) => m.partition);
    return new Set([...owed, ...[...task.named.keys()].map((id) => this.log.partitionOf(id))]);
  }

  /** Reads the answer, unless the snapshot is older than the barrier and there is time left. */
  private async read(sql: Sql, sync: Sync, last: boolean): Promise<Answer | Lack> {
    const { task, userId } = sync;
    const found = await this.repository.memberships(sql, sync, this.log);
    const { memberships, kept, complete, applied } = found;
    const partitions = this.partitionsOf(task, found);
    const { lacks, unknown } = this.judge(sync, { applied, partitions });
    if (lacks.length > 0 && !last) return { lacks };
    const delayed = lacks.length > 0 || unknown;
    const { candidates, gone } = chooseConversations(task, memberships, (p, offset) =>
      this.log.position(p, offset),
    );
    const measures = await this.repository.measure(sql, sync, candidates, kept);
    const measured = new Map(candidates.map((c, i) => [c, measures[i]!]));
    const plan = candidates.map((c) =>
      planConversation(sha256, c, measured.get(c)!, this.position(c.partition, applied)),
    );
    const cut = cutToBudget(plan);
    const read = await this.repository.messages(sql, cut.served);
    const drafts = cut.served.map((p, i) => draftOf(p, measured.get(p.candidate)!, read[i]!));
    const fitted = cut.served.map((p, i) => fitConversation(drafts[i]!, String(p.above)));
    const ended = gone.map(goneConversation);
    const length = answerLength(
      fitted,
      ended.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    const left = [...cut.served.slice(length), ...cut.left];
    const halves = cut.served.slice(0, length).flatMap((p, i) => halfOf(p, read[i]!));
    const others = { ids: unlistedIds(memberships, task), complete };
    const rest = continuationOf(task, left, others, halves);
    const movedOn = rest === null && movedOnBehind(sync, partitions);
    const end = this.end(sync, { applied, delayed, rest, movedOn });
    return {
      bodies: packBodies([...ended, ...fitted.slice(0, length)], end),
      delayed,
      counted: countedOf(userId, cut.served, drafts, measured),
    };
  }

  private position(partition: number, applied: readonly bigint[]): bigint {
    return this.log.position(partition, applied[partition]!);
  }

  /** What the last body says about the whole answer. */
  private end(
    { userId, task }: Sync,
    part: {
      applied: readonly bigint[];
      delayed: boolean;
      rest: ReturnType<typeof continuationOf>;
      movedOn: boolean;
    },
  ): Pick<SyncedBody, 'since' | 'complete' | 'delayed'> {
    const { applied, delayed, rest, movedOn } = part;
    const target = task.target ?? applied;
    const since: Since | null = rest
      ? {
          epoch: this.log.epoch,
          next: task.next ?? target,
          continuation: { ...rest, mode: task.mode, target, delayed },
        }
      : task.mode === 'listed'
        ? null
        : { epoch: this.log.epoch, next: target };
    return {
      ...(since && { since: encodeSince(sha256, userId, since) }),
      complete: !rest && !delayed && !movedOn,
      ...(delayed && { delayed }),
    };
  }
}

/** What has to be applied for a barrier, as far as it is known. */
function targetsOf(barrier: Barrier): ProgressTarget[] {
  return barrier.flatMap((next, partition) =>
    next === null ? [] : [{ partition, next: BigInt(next) }],
  );
}

/**
 * Whether the log went on behind the target of an answer in several parts, or may have. The parts
 * end where the first one began; what came later was pushed to this device only if it stayed
 * connected. So the last part does not say `complete`: one more sync tells.
 */
function movedOnBehind({ task, barrier }: Sync, partitions: ReadonlySet<number>): boolean {
  const { target, mode } = task;
  if (target === null || mode === 'listed') return false;
  return [...partitions].some((p) => {
    const next = barrier?.[p] ?? null;
    return next === null || BigInt(next) > target[p]!;
  });
}

/** The client's estimate of server time, within five minutes of it. */
function comparingTime(asOf: string | undefined, nowMs: number): Date {
  const wanted = asOf === undefined ? nowMs : Date.parse(asOf);
  const low = nowMs - AS_OF_LIMIT_MS;
  return new Date(Math.min(Math.max(wanted, low), nowMs + AS_OF_LIMIT_MS));
}

/** The ended ones count, too: the next part must not meet them again. */
function unlistedIds(memberships: readonly Membership[], task: SyncTask): string[] {
  return memberships.map((m) => m.conversationId).filter((id) => !isListed(task, id));
}

function draftOf(planned: Planned, measures: Measures, { messages }: ServedMessages): Draft {
  const { candidate, keep } = planned;
  const changed = messages.filter((m) => !m.fresh).length;
  const surplus = Math.max(0, messages.length - changed - keep);
  const { digest, unread, receipts } = measures;
  return {
    conversationId: candidate.conversationId,
    state: planned.state,
    messages:
      surplus === 0
        ? messages
        : [...messages.slice(0, changed), ...messages.slice(changed + surplus)],
    more: planned.more || surplus > 0,
    // Of a half, what the client held is what it holds.
    upTo: String(planned.half ? candidate.have : candidate.upTo),
    digest: stateDigest(sha256, digest),
    unread,
    receipts,
  };
}

/** How far the changes of a conversation were served, when there are more of them. */
function halfOf({ candidate, half }: Planned, { lastChange }: ServedMessages): Half[] {
  return half ? [{ candidate, seen: lastChange }] : [];
}

/** What is worth keeping: a client that is behind is in a conversation that goes on. */
function countedOf(
  userId: string,
  served: readonly Planned[],
  drafts: readonly Draft[],
  measured: ReadonlyMap<Candidate, Measures>,
): Counted[] {
  return served.flatMap(({ candidate, state }, i): Counted[] => {
    if (state === 'behind') return [];
    const m = measured.get(candidate)!;
    const value = drafts[i]!.digest;
    const { digestFrom: from, digestSince: since, unreadAfter: after, unreadUntil: until } = m;
    return [
      {
        conversationId: candidate.conversationId,
        userId,
        position: String(candidate.upTo),
        digest:
          from === null || since === null ? null : { value, from, since, until: m.digestUntil },
        unread: after === null ? null : { count: m.unread, after, until },
      },
    ];
  });
}

function goneConversation({ conversationId, upTo }: Gone): Sized {
  return sized({
    conversationId,
    state: 'gone',
    messages: [],
    more: false,
    upTo: String(upTo),
    digest: stateDigest(sha256, []),
    unread: 0,
    receipts: '[]',
  });
}
