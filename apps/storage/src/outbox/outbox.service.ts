import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import { EVENT_TYPES, type ConversationChanged } from '@tidings/common/log-events/events';
import { LogWriter, type AppendResult } from '@tidings/common/kafka/writer/log-writer';
import type { OutRecord } from '@tidings/common/log-events/record';
import { MemberCache } from '@tidings/common/redis/members';
import { ConversationsRepository } from '../conversations/conversations.repository';
import type { Sql } from '../database/database';
import { LogState } from '../log/log-state';
import { Progress, type ProgressTarget } from '../log/progress';
import { OutboxRepository, type OutboxRow } from './outbox.repository';
import { pause } from '@tidings/common/runtime/waiting';

/** How long a caller waits for its change to be in the log, in milliseconds. */
export const PUBLISH_WITHIN_MS = 2_000;
/** Pause before looking again at a change that another instance is appending. */
const LOOK_AGAIN_MS = 15;

/** What an instance brought into the log; `next`: what is to be applied for it to be read. */
export interface Published extends ProgressTarget {
  /** Positions of the changes that this instance appended and knows the position of, by message id. */
  positions: ReadonlyMap<string, bigint>;
}

/** Changes that Redis learns of before their append: what it said before must not be used after it. */
const ANNOUNCED: ReadonlySet<string> = new Set(['removed', 'ttl']);

/** The work on one conversation, shared by everybody who wants its changes published. */
interface Run extends Published {
  positions: Map<string, bigint>;
  deadline: number;
  /** Somebody has come since it last looked whether there is something to do. */
  asked: boolean;
  work: Promise<Published>;
}

const NOTHING = Promise.resolve({ partition: 0, next: 0n, positions: new Map<string, bigint>() });

/**
 * Brings changes of conversations from PostgreSQL into the log: written first with the id of their
 * record, then appended in version order by one instance at a time. However often a record is
 * appended, it is one entry, at its first position. Redis learns of a removal and of a new lifetime
 * before the append, of everything else after it.
 */
@Injectable()
export class OutboxService {
  private readonly running = new Map<string, Run>();

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly writer: LogWriter,
    private readonly log: LogState,
    private readonly progress: Progress,
    private readonly conversations: ConversationsRepository,
    private readonly cache: MemberCache,
  ) {}

  /**
   * Resolves when all changes of a conversation that were committed before the call are in the log.
   * Throws `unavailable` when that takes more than two seconds; the changes stay and are appended
   * later.
   */
  publish(conversationId: string): Promise<Published> {
    const deadline = performance.now() + PUBLISH_WITHIN_MS;
    const running = this.running.get(conversationId);
    if (running) {
      Object.assign(running, { asked: true, deadline });
      return running.work;
    }
    const partition = this.log.partitionOf(conversationId);
    const shared = { deadline, asked: false, work: NOTHING };
    const run: Run = { partition, next: 0n, positions: new Map(), ...shared };
    this.running.set(conversationId, run);
    run.work = this.publishAll(conversationId, run);
    return run.work;
  }

  private async publishAll(conversationId: string, run: Run): Promise<Published> {
    try {
      for (;;) {
        run.asked = false;
        const clear = await this.outbox.isClear(conversationId);
        // No turn between this look and the end of the run: whoever comes later begins another.
        if (clear && !run.asked) break;
        if (!clear) await this.publishOpen(conversationId, run);
      }
    } finally {
      this.running.delete(conversationId);
    }
    // Only a convenience: a gateway that misses something in Redis asks storage.
    if (run.next > 0n) void this.tellRedis(conversationId).catch(() => undefined);
    return run;
  }

  private async publishOpen(conversationId: string, run: Run): Promise<void> {
    if (left(run) <= 0) throw notInLog();
    const unknown = await this.outbox.locked(conversationId, (sql) =>
      this.append(sql, conversationId, run),
    );
    // Appended again: the batch writer fills in the first position when it applies the record.
    if (unknown) await this.progress.wait([run], left(run));
    else if (unknown === null) await pause(LOOK_AGAIN_MS);
  }

  /** Appends what is open; true when the position of some of it is not known yet. */
  private async append(sql: Sql, conversationId: string, run: Run): Promise<boolean> {
    let unknown = false;
    for (const row of await this.outbox.take(sql, conversationId)) {
      const { messageId } = row;
      const event = JSON.parse(row.event) as ConversationChanged;
      if (ANNOUNCED.has(event.change.kind)) await this.announce(conversationId);
      const record = toRecord(row, event);
      const result = await this.appended(record, row.attempts > 1, left(run));
      if (!result?.ok) throw notInLog();
      run.next = result.offset + 1n;
      unknown ||= result.again;
      if (result.again) continue;
      const position = this.log.position(result.partition, result.offset);
      run.positions.set(messageId, position);
      const creates = row.version === 1;
      await this.outbox.done(sql, { messageId, conversationId, position, creates });
    }
    return unknown;
  }

  /**
   * Gateways must not find a removed member, or a lifetime that is no more, in Redis once the change
   * is answered: without Redis it waits.
   */
  private async announce(conversationId: string): Promise<void> {
    try {
      await this.tellRedis(conversationId);
    } catch (error) {
      throw notInLog(error);
    }
  }

  private async tellRedis(conversationId: string): Promise<void> {
    const { items } = await this.conversations.routing(this.log.topic, [{ conversationId }]);
    if (items[0]) await this.cache.put(items[0]);
  }

  /** The outcome of one append; null when it is not known in time. */
  private appended(record: OutRecord, again: boolean, ms: number): Promise<AppendResult | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), ms);
      const done = (result: AppendResult | null): void => {
        clearTimeout(timer);
        resolve(result);
      };
      if (!this.writer.append(record, done, { again })) done(null);
    });
  }
}

function left(run: Run): number {
  return run.deadline - performance.now();
}

function toRecord(row: OutboxRow, event: ConversationChanged): OutRecord {
  return {
    key: event.conversationId,
    type: EVENT_TYPES.conversationChanged,
    id: row.messageId,
    time: event.sentAt,
    value: row.event,
  };
}

function notInLog(cause?: unknown): TidingsError {
  return new TidingsError('unavailable', {
    detail: 'The change is kept, but it is not in the log yet; try again',
    cause,
  });
}
