import type { SyncedBody, SyncRequest } from '@tidings/protocol/frames';
import type { HistoryPage } from '@tidings/protocol/http';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { LogRecord as KafkaRecord } from '@tidings/common/log-events/record';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Database } from '../../apps/storage/src/database/database';
import { ADD, OUTBOX, REMOVE } from '../../apps/storage/src/conversations/groups.sql';
import { LogState } from '../../apps/storage/src/log/log-state';
import { Progress } from '../../apps/storage/src/log/progress';
import { BatchRepository } from '../../apps/storage/src/messages/batch.repository';
import { BatchWriter } from '../../apps/storage/src/messages/batch-writer';
import { MessagesRepository } from '../../apps/storage/src/messages/messages.repository';
import { MessagesService } from '../../apps/storage/src/messages/messages.service';
import type { WriterMetrics } from '../../apps/storage/src/messages/writer-metrics';
import { type MarkRow, raiseMarks } from '../../apps/storage/src/receipts/receipts.repository';
import { StateKeeper } from '../../apps/storage/src/sync/state-keeper';
import { SyncRepository } from '../../apps/storage/src/sync/sync.repository';
import { SyncService } from '../../apps/storage/src/sync/sync.service';
import { changedRecord, sentRecord } from '../../apps/storage/testing/records';
import { ME, PEER } from '../../clients/sdk/testing/factories';
import {
  CONVERSATIONS,
  type LogListener,
  type LogRecord,
  type ModelLog,
} from '../../clients/sdk/testing/model-log';
import type { ModelStorage } from '../../clients/sdk/testing/model-sync';

/** Records of one batch, in turn: alone, few, many. */
const BATCHES = [1, 3, 8];
const PAGE = 3;

type Pending = { at: number; record: LogRecord } | { at: number; marks: MarkRow };

/** What all runs share. */
export interface StorageParts {
  database: Database;
  metrics: WriterMetrics;
  logger: Logger;
  partitions: number;
}

/**
 * The real batch writer and the real statements of storage behind a model's gateways: the model's
 * log is written into PostgreSQL as far as an answer needs it.
 */
export class StorageOfModel implements ModelStorage, LogListener {
  private readonly service: SyncService;
  private readonly keeper: StateKeeper;
  private readonly messages: MessagesService;
  private readonly log: LogState;
  private readonly writer: BatchWriter;
  private readonly pending: Pending[] = [];
  /** Next offset per partition: what is written so far. */
  private readonly next: bigint[];
  /** Version of each conversation. */
  private readonly versions = new Map<string, number>();
  private batches = 0;

  constructor(
    private readonly model: ModelLog,
    private readonly parts: StorageParts,
  ) {
    const { database, metrics, logger } = parts;
    const bases = Array.from({ length: parts.partitions }, () => 1n);
    this.next = bases.map(() => 0n);
    this.log = new LogState(TOPICS.messages, 1, bases);
    const progress = new Progress(database, this.log);
    this.keeper = new StateKeeper(database, logger);
    const repository = new SyncRepository(database);
    this.service = new SyncService(repository, progress, this.log, this.keeper);
    this.messages = new MessagesService(new MessagesRepository(database), progress, this.log);
    this.writer = new BatchWriter({
      log: this.log,
      batches: new BatchRepository(database, this.log),
      progress,
      metrics,
      logger,
      defects: {
        noteRecord: (_record, error) => {
          throw error;
        },
      },
      deadLetter: (_record, reason) => Promise.reject(new Error(reason)),
      fatal: (error) => {
        throw error;
      },
    });
    model.listen(this);
  }

  /** Removes what an earlier run has written. */
  async begin(): Promise<void> {
    for (const table of ['messages', 'changes', 'members', 'outbox']) {
      await this.parts.database.rows(
        { text: `DELETE FROM ${table} WHERE conversation_id = ANY ($1::text[])` },
        [CONVERSATIONS],
      );
    }
    await this.rows('DELETE FROM conversations WHERE id = ANY ($1::text[])', [CONVERSATIONS]);
    await this.rows('UPDATE log_progress SET next = 0 WHERE topic = $1', [TOPICS.messages]);
  }

  record(record: LogRecord): void {
    this.pending.push({ at: record.at, record });
  }

  raised(conversationId: string, userId: string): void {
    const marks = this.model.marks(conversationId, userId);
    const [delivered, read] = [String(marks.delivered), String(marks.read)];
    this.pending.push({
      at: this.model.end,
      marks: { conversationId, userId, delivered, read },
    });
  }

  /** Behind, it has no barrier to wait for, and says so at once. */
  async sync(request: SyncRequest, applied: number | null): Promise<SyncedBody[]> {
    await this.apply(applied ?? this.model.end);
    const barrier = applied === null ? this.next.map(String) : null;
    const { bodies } = await this.service.answer(ME, request, barrier);
    // Whatever was counted is kept before anything else happens: the next sync may build on it.
    await this.keeper.idle();
    return bodies.map((text) => JSON.parse(text) as SyncedBody);
  }

  async history(conversationId: string, before: string): Promise<HistoryPage> {
    await this.apply(this.model.end);
    return this.messages.history({ userId: ME, conversationId, before, limit: PAGE });
  }

  /** Writes everything up to a position, in batches of several sizes. */
  private async apply(upTo: number): Promise<void> {
    let batch: LogRecord[] = [];
    const flush = async (): Promise<void> => {
      await this.write(batch);
      batch = [];
    };
    while (this.pending.length > 0 && this.pending[0]!.at <= upTo) {
      const one = this.pending.shift()!;
      if ('marks' in one) {
        await flush();
        await raiseMarks(this.parts.database, [{ ...one.marks, at: Date.now() }]);
        continue;
      }
      if (one.record.kind === 'event') {
        // What it changes is decided before it is in the log; a batch takes one of them.
        if (batch.some((r) => r.kind === 'event')) await flush();
        await this.decide(one.record);
      }
      batch.push(one.record);
      if (batch.length >= BATCHES[this.batches % BATCHES.length]!) await flush();
    }
    await flush();
  }

  private async write(batch: readonly LogRecord[]): Promise<void> {
    this.batches++;
    const records = batch.map((record) => this.kafkaRecord(record));
    const partitions = [...new Set(records.map((r) => r.partition))];
    await Promise.all(
      partitions.map((p) =>
        this.handle(
          p,
          records.filter((r) => r.partition === p),
        ),
      ),
    );
  }

  private async handle(partition: number, records: KafkaRecord[]): Promise<void> {
    const firstOffset = this.next[partition]!;
    const nextOffset = records.at(-1)!.offset + 1n;
    const outcome = await this.writer.handle({
      topic: TOPICS.messages,
      partition,
      records,
      firstOffset,
      nextOffset,
      highWatermark: nextOffset,
      lag: 0n,
      revoked: () => false,
      heartbeat: () => Promise.resolve(),
    });
    if (!('done' in outcome)) throw new Error(`not applied: ${JSON.stringify(outcome)}`);
    this.next[partition] = nextOffset;
  }

  /** A position is an offset and one. */
  private kafkaRecord({ at, kind, conversationId, message, changeId }: LogRecord): KafkaRecord {
    const offset = BigInt(at - 1);
    const { messageId, senderId, content, sentAt, expiresAt, position } = message;
    const ids = { conversationId, messageId, senderId, sentAt, expiresAt };
    if (kind === 'change') {
      return changedRecord(offset, { ...ids, position, changeId, content });
    }
    if (content.kind !== 'event') {
      const first = this.model.find(conversationId, messageId)!.message;
      return sentRecord(offset, { ...ids, content: first.content });
    }
    const value = {
      conversationId,
      messageId,
      senderId,
      sentAt,
      kind: 'group',
      members: [],
      version: this.versions.get(conversationId),
      change: content.event,
    };
    return sentRecord(
      offset,
      { conversationId, messageId },
      { type: EVENT_TYPES.conversationChanged, value: Buffer.from(JSON.stringify(value)) },
    );
  }

  /** The transaction that a change of a conversation begins with. */
  private async decide({ conversationId, message }: LogRecord): Promise<void> {
    const { database } = this.parts;
    if (message.content.kind !== 'event') return;
    const { event } = message.content;
    const version = (this.versions.get(conversationId) ?? 0) + 1;
    this.versions.set(conversationId, version);
    if (event.kind === 'created') {
      const { history, founders } = this.model.seed(conversationId);
      const partition = this.log.partitionOf(conversationId);
      await this.rows(
        `INSERT INTO conversations
           (id, kind, created_at, created_by, version, partition, last_at, history)
         VALUES ($1, 'group', now(), $2, 1, $3, now(), $4)`,
        [conversationId, PEER, partition, history],
      );
      await this.rows(
        `INSERT INTO members (conversation_id, user_id, role, from_position)
         SELECT $1, u, 'member', 0 FROM unnest($2::uuid[]) u`,
        [conversationId, founders],
      );
    }
    if (event.kind === 'added') await database.rows(ADD, [conversationId, event.userIds, version]);
    if (event.kind === 'removed') {
      await database.rows(REMOVE, [conversationId, event.userIds, version]);
    }
    await database.rows(OUTBOX, [message.messageId, conversationId, version, '{}']);
  }

  private rows(text: string, values: unknown[]): Promise<unknown[]> {
    return this.parts.database.rows({ text }, values);
  }
}
