import { Injectable } from '@nestjs/common';
import type { Broadcast } from '@tidings/protocol/broadcasts';
import type { SentContent } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import { LogWriter, type AppendResult } from '@tidings/common/kafka/writer/log-writer';
import { changeRecord } from '@tidings/common/log-records/change-record';
import { mayBeSameHash } from '@tidings/common/log-events/events';
import { contentHashOf, messageRecord } from '@tidings/common/log-records/message-record';
import type { OutRecord } from '@tidings/common/log-events/record';
import type { RpcInput, RpcOutput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import { pause } from '@tidings/common/runtime/waiting';
import { uuidv7 } from 'uuidv7';
import { AuditRepository } from '../admin/audit.repository';
import type { Sql } from '../database/database';
import { LogState } from '../log/log-state';
import { Progress } from '../log/progress';
import { OutboxRepository } from '../outbox/outbox.repository';
import { type BroadcastJob, BroadcastsRepository } from './broadcasts.repository';

type Rpc = typeof STORAGE_RPC;
type By = RpcInput<Rpc, 'broadcasts.get'>['by'];

/** How long a caller waits for a broadcast to be in the log, in milliseconds. */
const PUBLISH_WITHIN_MS = 2_000;
/** Pause before looking again at what another instance is appending. */
const LOOK_AGAIN_MS = 15;
/** What the conversation of everybody is called. */
const TITLE = 'Announcements';

/** How many broadcasts there may be. */
export class BroadcastSettings {
  constructor(
    /** Of all broadcasters together; 0: no limit. */
    readonly perHour: number,
  ) {}
}

/**
 * Messages to everybody. Each is a row first, written together with the check of who writes it and its row of
 * the audit; then it is appended to the log by one instance at a time: by the one that was asked, or by the
 * leader when that one did not get so far. All of them throw `forbidden` for who is no broadcaster.
 */
@Injectable()
export class BroadcastsService {
  constructor(
    private readonly broadcasts: BroadcastsRepository,
    private readonly outbox: OutboxRepository,
    private readonly audit: AuditRepository,
    private readonly writer: LogWriter,
    private readonly log: LogState,
    private readonly progress: Progress,
    private readonly security: SecurityLog,
    private readonly settings: BroadcastSettings,
  ) {}

  /**
   * Writes to everybody; the same again changes nothing. Throws `message_id_conflict`, `rate_limited`
   * (which the same again never is).
   */
  async create({
    by,
    messageId,
    content,
  }: RpcInput<Rpc, 'broadcasts.create'>): Promise<RpcOutput<Rpc, 'broadcasts.create'>> {
    const contentHash = contentHashOf(content);
    await this.broadcasts.inTurn(async (sql) => {
      await this.requireBroadcaster(by, sql);
      const found = await this.broadcasts.find(sql, messageId);
      if (found) {
        const same = found.senderId === by.userId && mayBeSameHash(found.contentHash, contentHash);
        if (!same) throw new TidingsError('message_id_conflict');
        return;
      }
      await this.requireRoom(sql);
      const { userId: senderId, deviceId } = by;
      const written = {
        messageId,
        senderId,
        deviceId,
        contentHash,
        content: JSON.stringify(content),
      };
      const partition = this.log.partitionOf(EVERYONE_ID);
      await this.broadcasts.add(sql, written, { partition, title: TITLE });
      await this.note(sql, by, 'broadcast', messageId);
    });
    // it is kept: whoever cannot append it now leaves it to the leader
    await this.publish().catch(() => undefined);
    return this.shown(messageId);
  }

  /** State and counts. Throws `not_found`. */
  async get({
    by,
    messageId,
  }: RpcInput<Rpc, 'broadcasts.get'>): Promise<RpcOutput<Rpc, 'broadcasts.get'>> {
    await this.requireBroadcaster(by);
    return this.shown(messageId);
  }

  /**
   * Deletes a broadcast: nobody gets one that is not in the log yet, else it is deleted for everybody. `done`:
   * that is in the log, or not needed. Throws `not_found`.
   */
  async delete({
    by,
    messageId,
  }: RpcInput<Rpc, 'broadcasts.delete'>): Promise<RpcOutput<Rpc, 'broadcasts.delete'>> {
    await this.broadcasts.inTurn(async (sql) => {
      await this.requireBroadcaster(by, sql);
      if (!(await this.broadcasts.find(sql, messageId))) throw new TidingsError('not_found');
      const { userId, deviceId } = by;
      const change = { userId, deviceId, changeId: uuidv7() };
      const deleted = await this.broadcasts.delete(sql, messageId, change);
      if (deleted) await this.note(sql, by, 'broadcast_delete', messageId);
    });
    await this.publish().catch(() => undefined);
    return { done: !(await this.broadcasts.isOpen(messageId)) };
  }

  /** Appends what is due, when this is the leader's term and somebody has left it undone. */
  async takeOver(term: string): Promise<boolean> {
    if (!(await this.broadcasts.isOverdue(term))) return false;
    await this.publish();
    return true;
  }

  /**
   * Resolves when everything that was committed before the call was appended, or tried. Throws
   * `unavailable` when that takes more than two seconds; it stays and is appended later.
   */
  private async publish(): Promise<void> {
    const deadline = performance.now() + PUBLISH_WITHIN_MS;
    for (;;) {
      const done = await this.outbox.locked(EVERYONE_ID, async (sql) => {
        for (const job of await this.broadcasts.take(sql)) await this.append(sql, job, deadline);
        return true;
      });
      if (done) return;
      if (performance.now() > deadline) throw notInLog();
      await pause(LOOK_AGAIN_MS);
    }
  }

  /** One step of a job, under the lock; what was not known is left for the next one. */
  private async append(sql: Sql, job: BroadcastJob, deadline: number): Promise<void> {
    const { messageId } = job;
    const position =
      job.position ??
      (job.content === null ? null : await this.appended(sql, messageOf(job), job, deadline));
    if (position === null) {
      if (job.deletedBy !== null) await this.broadcasts.putOff(sql, messageId);
      return;
    }
    await this.broadcasts.sent(sql, messageId, position);
    if (job.deletedBy === null) return;
    await this.written(deletionOf(job, position), job.attempts > 1, deadline);
    await this.broadcasts.done(sql, messageId);
  }

  /** The first position of a message that was appended just now; null: it is not known yet. */
  private async appended(
    sql: Sql,
    record: OutRecord,
    { messageId, attempts }: BroadcastJob,
    deadline: number,
  ): Promise<string | null> {
    const { partition, offset, again } = await this.written(record, attempts > 1, deadline);
    if (!again) return String(this.log.position(partition, offset));
    await this.progress.wait([{ partition, next: offset + 1n }], deadline - performance.now());
    return this.broadcasts.position(sql, EVERYONE_ID, messageId);
  }

  /** Throws `unavailable` when it is not known in time to be in the log. */
  private async written(
    record: OutRecord,
    again: boolean,
    deadline: number,
  ): Promise<Extract<AppendResult, { ok: true }>> {
    const result = await new Promise<AppendResult | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), Math.max(0, deadline - performance.now()));
      const done = (outcome: AppendResult | null): void => {
        clearTimeout(timer);
        resolve(outcome);
      };
      if (!this.writer.append(record, done, { again })) done(null);
    });
    if (!result?.ok) throw notInLog();
    return result;
  }

  private async requireBroadcaster({ userId, origin }: By, sql?: Sql): Promise<void> {
    if (await this.broadcasts.isBroadcaster(userId, sql)) return;
    this.security.note('broadcast_refused', { userId, address: origin });
    throw new TidingsError('forbidden');
  }

  private async requireRoom(sql: Sql): Promise<void> {
    const { perHour } = this.settings;
    const retryAfterMs = perHour === 0 ? 0 : await this.broadcasts.waitMs(sql, perHour);
    if (retryAfterMs <= 0) return;
    const detail = `There may be ${perHour} broadcasts an hour`;
    throw new TidingsError('rate_limited', { detail, retryAfterMs });
  }

  private note(sql: Sql, { userId, origin }: By, action: string, messageId: string): Promise<void> {
    const by = { actor: userId, origin };
    return this.audit.add(sql, { by, action, subject: null, changed: true, detail: { messageId } });
  }

  private async shown(messageId: string): Promise<Broadcast> {
    const found = await this.broadcasts.show(messageId);
    if (!found) throw new TidingsError('not_found');
    return found;
  }
}

function messageOf({ messageId, senderId, deviceId, ...job }: BroadcastJob): OutRecord {
  return messageRecord({
    conversationId: EVERYONE_ID,
    messageId,
    senderId,
    deviceId,
    content: JSON.parse(job.content!) as SentContent,
    contentHash: job.contentHash,
    sentAt: job.createdAt.toISOString(),
    extras: null,
  });
}

function deletionOf(job: BroadcastJob, position: string): OutRecord {
  const { messageId, senderId, createdAt, changeId, deletedBy, deletedOn } = job;
  return changeRecord(
    {
      conversationId: EVERYONE_ID,
      messageId,
      changeId: changeId!,
      userId: deletedBy!,
      deviceId: deletedOn!,
      content: null,
    },
    { messageId, position, senderId, sentAt: createdAt.toISOString() },
    new Date().toISOString(),
  );
}

function notInLog(): TidingsError {
  return new TidingsError('unavailable', {
    detail: 'The broadcast is kept, but it is not in the log yet',
  });
}
