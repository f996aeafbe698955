import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/common/contracts/errors';
import { EVENT_TYPES, type ConversationChanged } from '@tidings/common/contracts/events';
import { LogWriter, type AppendResult } from '@tidings/common/kafka/log-writer';
import type { OutRecord } from '@tidings/common/kafka/record';
import type { Sql } from '../database/database';
import { LogState } from '../log/log-state';
import { Progress, type ProgressTarget } from '../log/progress';
import { OutboxRepository, type OutboxRow } from './outbox.repository';

/** How long a caller waits for its change to be in the log, in milliseconds. */
export const PUBLISH_WITHIN_MS = 2_000;
/** Pause before looking again at a change that another instance is appending. */
const LOOK_AGAIN_MS = 15;

/**
 * Brings changes of conversations from PostgreSQL into the log: written first with the id of their
 * record, then appended in version order by one instance at a time. However often a record is
 * appended, it is one entry, at its first position.
 */
@Injectable()
export class OutboxService {
  private readonly running = new Map<string, Promise<ProgressTarget>>();

  constructor(
    private readonly outbox: OutboxRepository,
    private readonly writer: LogWriter,
    private readonly log: LogState,
    private readonly progress: Progress,
  ) {}

  /**
   * Resolves when all open changes of a conversation are in the log, with what is to be applied for
   * them to be read (as far as this instance appended them). Throws `unavailable` when that takes more
   * than two seconds; the changes stay and are appended later.
   */
  publish(conversationId: string): Promise<ProgressTarget> {
    const running = this.running.get(conversationId);
    if (running) return running;
    const work = this.publishAll(conversationId).finally(() => this.running.delete(conversationId));
    this.running.set(conversationId, work);
    return work;
  }

  private async publishAll(conversationId: string): Promise<ProgressTarget> {
    const appended = { partition: this.log.partitionOf(conversationId), next: 0n };
    const deadline = performance.now() + PUBLISH_WITHIN_MS;
    const left = (): number => deadline - performance.now();
    while (!(await this.outbox.isClear(conversationId))) {
      if (left() <= 0) throw notInLog();
      const unknown = await this.outbox.locked(conversationId, (sql) =>
        this.append(sql, conversationId, { appended, left }),
      );
      // Appended again: the batch writer fills in the first position when it applies the record.
      if (unknown) await this.progress.wait([appended], left());
      else if (unknown === null) await sleep(LOOK_AGAIN_MS);
    }
    return appended;
  }

  /** Appends what is open; true when the position of some of it is not known yet. */
  private async append(
    sql: Sql,
    conversationId: string,
    { appended, left }: { appended: ProgressTarget; left: () => number },
  ): Promise<boolean> {
    let unknown = false;
    for (const row of await this.outbox.take(sql, conversationId)) {
      const { messageId } = row;
      const result = await this.appended(toRecord(conversationId, row), row.attempts > 1, left());
      if (!result?.ok) throw notInLog();
      appended.next = result.offset + 1n;
      unknown ||= result.again;
      if (result.again) continue;
      const position = this.log.position(result.partition, result.offset);
      const creates = row.version === 1;
      await this.outbox.done(sql, { messageId, conversationId, position, creates });
    }
    return unknown;
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

function toRecord(conversationId: string, row: OutboxRow): OutRecord {
  const { sentAt } = JSON.parse(row.event) as ConversationChanged;
  return {
    key: conversationId,
    type: EVENT_TYPES.conversationChanged,
    id: row.messageId,
    time: sentAt,
    value: row.event,
  };
}

function notInLog(): TidingsError {
  return new TidingsError('unavailable', {
    detail: 'The change is kept, but it is not in the log yet; try again',
  });
}
