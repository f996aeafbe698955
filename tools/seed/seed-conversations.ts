import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { contentHashText } from '@tidings/protocol/content';
import { EVENT_TYPES, type MessageSent } from '@tidings/common/log-events/events';
import { uuid } from '@tidings/protocol/ids';
import { TOPICS } from '@tidings/common/log-events/topics';
import { createKafka } from '@tidings/common/kafka/wire/client';
import { type AppendResult, LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { OutRecord } from '@tidings/common/log-events/record';
import type { Logger } from '@tidings/common/runtime/logger';
import { uuidv7 } from 'uuidv7';
import { z } from 'zod';
import type { NewConversation } from '../../apps/storage/src/conversations/conversations.repository';
import { newConversation } from '../../apps/storage/src/conversations/new-conversation';
import { Database } from '../../apps/storage/src/database/database';
import { type LogState, loadLogState, readApplied } from '../../apps/storage/src/log/log-state';
import type { ToolEnv } from '../../apps/storage/src/storage.env';
import { ring } from './ring';

/** What is seeded: direct conversations of seeded users, with histories. */
export interface ConversationsPlan {
  userIds: string[];
  /** conversations of each user; an even number below that of the users */
  each: number;
  /** messages of each conversation, from both users in turn */
  messages: number;
  textBytes: number;
}

const USAGE =
  'usage: main.js conversations --users FILE --each N [--messages 12] [--text 128]; FILE: what seed wrote';
const ROWS_PER_STATEMENT = 1_000;
/** Records that are out at a time. */
const RECORDS_AT_ONCE = 1_000;
const APPLIED_WITHIN_MS = 120_000;
const LOOK_MS = 100;
const FLUSH_MS = 5_000;
const users = z.array(z.object({ userId: uuid }));

/** The command's arguments. Throws with the usage. */
export function conversationsPlan(args: string[]): ConversationsPlan {
  const { values } = parseArgs({
    args,
    options: {
      users: { type: 'string' },
      each: { type: 'string' },
      messages: { type: 'string', default: '12' },
      text: { type: 'string', default: '128' },
    },
  });
  const numbers = [values.each, values.messages, values.text].map(Number);
  const [each = 0, messages = 0, textBytes = 0] = numbers;
  if (values.users === undefined || !numbers.every((n) => Number.isInteger(n) && n > 0)) {
    throw new Error(USAGE);
  }
  const userIds = users.parse(JSON.parse(readFileSync(values.users, 'utf8'))).map((u) => u.userId);
  return { userIds, each, messages, textBytes };
}

/**
 * Makes conversations for load tests: rows by bulk inserts, histories by appending them to the log,
 * where storage takes them from like any others. Pairs that have a conversation keep it as it is.
 * Returns when a running storage has applied everything; rejects when none does. Never in production.
 */
export async function seedConversations(
  env: ToolEnv,
  plan: ConversationsPlan,
  logger: Logger,
): Promise<void> {
  if (env.NODE_ENV === 'production') throw new Error('nothing is seeded in production');
  const options = {
    url: env.DATABASE_URL,
    name: env.NODE_ID,
    connections: 2,
    statementWithin: 60_000,
  };
  const database = new Database(options, () => undefined);
  try {
    const log = await loadLogState(database, env.KAFKA_PARTITIONS);
    const made = await insertConversations(database, log, plan);
    const ends = await appendHistories(env, log, made, plan);
    await untilApplied(database, log, ends);
    logger.info({ conversations: made.length, each: plan.messages }, 'conversations are seeded');
  } finally {
    await database.close();
  }
}

async function insertConversations(
  database: Database,
  log: LogState,
  { userIds, each }: ConversationsPlan,
): Promise<NewConversation[]> {
  const wanted = ring(userIds.length, each).map(([a, b]) => {
    const memberIds = [userIds[a]!, userIds[b]!];
    const directKey = [...memberIds].sort().join(',');
    const founding = { kind: 'direct' as const, creator: memberIds[0]!, memberIds, directKey };
    return newConversation(founding, (id) => log.partitionOf(id));
  });
  const made: NewConversation[] = [];
  for (let i = 0; i < wanted.length; i += ROWS_PER_STATEMENT) {
    made.push(...(await insertSome(database, wanted.slice(i, i + ROWS_PER_STATEMENT))));
  }
  return made;
}

/** The creation is appended here, not through the outbox. */
async function insertSome(
  database: Database,
  some: readonly NewConversation[],
): Promise<NewConversation[]> {
  return database.transaction('', async (sql) => {
    const rows = await sql.rows<{ id: string }>(
      {
        text: `INSERT INTO conversations
                 (id, kind, created_at, created_by, direct_key, version, partition, last_at)
               SELECT w.id, 'direct', w.at, w.creator, w.key, 1, w.partition, w.at
               FROM unnest($1::text[], $2::timestamptz[], $3::uuid[], $4::text[], $5::smallint[])
                 AS w (id, at, creator, key, partition)
               ON CONFLICT DO NOTHING RETURNING id`,
      },
      [
        some.map((c) => c.id),
        some.map((c) => c.createdAt),
        some.map((c) => c.createdBy),
        some.map((c) => c.directKey),
        some.map((c) => c.partition),
      ],
    );
    const ids = new Set(rows.map((row) => row.id));
    const made = some.filter((c) => ids.has(c.id));
    await sql.rows(
      {
        text: `INSERT INTO members (conversation_id, user_id, role, from_position)
               SELECT w.id, w.member, 'member', 0 FROM unnest($1::text[], $2::uuid[]) w (id, member)`,
      },
      [made.flatMap((c) => c.memberIds.map(() => c.id)), made.flatMap((c) => c.memberIds)],
    );
    return made;
  });
}

/** Appends creations and messages, each conversation's in order; the next offsets behind them. */
async function appendHistories(
  env: ToolEnv,
  log: LogState,
  made: readonly NewConversation[],
  { messages, textBytes }: ConversationsPlan,
): Promise<bigint[]> {
  const kafka = createKafka({ brokers: env.KAFKA_BROKERS, clientId: env.NODE_ID });
  const { topic, partitions, epoch } = log;
  const writer = new LogWriter({ kafka, topic, partitions, epoch, source: env.NODE_ID });
  const ends = log.bases.map(() => 0n);
  await writer.start();
  try {
    const appendAll = async (records: readonly OutRecord[]): Promise<void> => {
      for (let i = 0; i < records.length; i += RECORDS_AT_ONCE) {
        const some = records.slice(i, i + RECORDS_AT_ONCE);
        for (const { partition, offset } of await Promise.all(some.map((r) => append(writer, r)))) {
          if (offset + 1n > ends[partition]!) ends[partition] = offset + 1n;
        }
      }
    };
    await appendAll(made.map(creation));
    for (let n = 0; n < messages; n++) await appendAll(made.map((c) => line(c, n, textBytes)));
  } finally {
    await writer.stop({ flushMs: FLUSH_MS });
  }
  return ends;
}

function append(
  writer: LogWriter,
  record: OutRecord,
): Promise<Extract<AppendResult, { ok: true }>> {
  return new Promise((resolve, reject) => {
    const done = (result: AppendResult): void =>
      result.ok ? resolve(result) : reject(new Error(`the log refused a record: ${result.reason}`));
    if (!writer.append(record, done)) reject(new Error('the log takes no more records'));
  });
}

function creation({ id, createdAt, event }: NewConversation): OutRecord {
  return {
    key: id,
    id: event.messageId,
    value: event.json,
    type: EVENT_TYPES.conversationChanged,
    time: createdAt.toISOString(),
  };
}

function line({ id, memberIds }: NewConversation, n: number, textBytes: number): OutRecord {
  const content = {
    kind: 'text' as const,
    text: `line ${n} `.padEnd(textBytes, 'x').slice(0, textBytes),
  };
  const hash = createHash('sha256').update(contentHashText(content)).digest();
  const senderId = memberIds[n % memberIds.length]!;
  const message: MessageSent = {
    conversationId: id,
    messageId: uuidv7(),
    senderId,
    deviceId: senderId,
    content,
    contentHash: hash.subarray(0, 16).toString('base64url'),
    sentAt: new Date().toISOString(),
  };
  return {
    key: id,
    id: message.messageId,
    value: JSON.stringify(message),
    type: EVENT_TYPES.messageSent,
    time: message.sentAt,
  };
}

async function untilApplied(
  database: Database,
  log: LogState,
  ends: readonly bigint[],
): Promise<void> {
  const deadline = performance.now() + APPLIED_WITHIN_MS;
  for (;;) {
    const applied = await readApplied(database, TOPICS.messages);
    if (ends.every((end, partition) => applied[partition]! >= end)) return;
    if (performance.now() > deadline) {
      throw new Error(`storage has not applied the histories of ${log.topic}: does it run?`);
    }
    await sleep(LOOK_MS);
  }
}
