import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import type { LogRecord } from '@tidings/common/log-events/record';

const SENDER = '01890a5d-ac96-774b-bcce-b302099a8057';
export const PARTITIONS = 4;

/** A message id that differs with `n`. */
export function messageIdOf(n: number): string {
  return `01890a5d-ac97-7c3a-8f10-${String(n).padStart(12, '0')}`;
}

/** A record of the conversation log as a gateway appends it; for specs. */
export function sentRecord(
  offset: bigint,
  value: Record<string, unknown> = {},
  record: Partial<LogRecord> = {},
): LogRecord {
  const conversationId = String(value['conversationId'] ?? 'conversation-a');
  const messageId = String(value['messageId'] ?? messageIdOf(Number(offset)));
  const full = {
    conversationId,
    messageId,
    senderId: SENDER,
    deviceId: SENDER,
    content: { kind: 'text', text: 'hello' },
    contentHash: 'AAAAAAAAAAAAAAAAAAAAAA',
    sentAt: '2026-01-01T00:00:00.000Z',
    ...value,
  };
  return {
    topic: 'chat.messages.v1',
    partition: partitionOf(conversationId, PARTITIONS),
    offset,
    key: conversationId,
    type: EVENT_TYPES.messageSent,
    id: messageId,
    source: 'test',
    time: full.sentAt,
    timestamp: 0,
    epoch: 1,
    again: false,
    value: Buffer.from(JSON.stringify(full)),
    headers: {},
    ...record,
  };
}

/** The creation of a conversation. */
export function createdRecord(offset: bigint, record: Partial<LogRecord> = {}): LogRecord {
  const conversationId = 'conversation-a';
  const messageId = messageIdOf(Number(offset));
  const value = {
    conversationId,
    messageId,
    senderId: SENDER,
    version: 1,
    kind: 'direct',
    sentAt: '2026-01-01T00:00:00.000Z',
    members: [SENDER],
    change: { kind: 'created', conversationKind: 'direct', userIds: [SENDER] },
  };
  return sentRecord(
    offset,
    {},
    {
      type: EVENT_TYPES.conversationChanged,
      value: Buffer.from(JSON.stringify(value)),
      ...record,
    },
  );
}

/** An edit of a message (or, with `content` of kind `deleted`, its deletion). */
export function changedRecord(
  offset: bigint,
  value: Record<string, unknown> = {},
  record: Partial<LogRecord> = {},
): LogRecord {
  const changeId = String(value['changeId'] ?? messageIdOf(1_000_000 + Number(offset)));
  const full = {
    conversationId: 'conversation-a',
    changeId,
    userId: SENDER,
    deviceId: SENDER,
    changeHash: 'BBBBBBBBBBBBBBBBBBBBBB',
    messageId: messageIdOf(0),
    position: '1',
    senderId: SENDER,
    content: { kind: 'text', text: 'better' },
    sentAt: '2026-01-01T00:00:00.000Z',
    ...value,
  };
  return sentRecord(
    offset,
    { conversationId: full.conversationId },
    {
      type: EVENT_TYPES.messageChanged,
      id: changeId,
      value: Buffer.from(JSON.stringify(full)),
      ...record,
    },
  );
}
