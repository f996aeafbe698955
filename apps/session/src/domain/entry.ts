import type { ConversationChanged, MessageSent } from '@tidings/common/contracts/events';

interface Place {
  /** Kafka offset. */
  offset: bigint;
  /** Position base of the partition + offset: the order of the product. */
  position: bigint;
  /** The broker's record time, Unix milliseconds. */
  recordedAtMs: number;
}

/** A message in the conversation log. */
export interface MessageEntry extends Place {
  kind: 'message';
  event: MessageSent;
}

/** A creation or change of a conversation in the conversation log. */
export interface ConversationEntry extends Place {
  kind: 'conversation';
  event: ConversationChanged;
}

/** A parsed record of the conversation log. */
export type LogEntry = MessageEntry | ConversationEntry;

/** The content hash that stands for "written by the server" in comparisons. */
const NO_CONTENT = '';

/** What tells two records under one id apart, beside the sender. */
export function fingerprint(entry: LogEntry): string {
  return entry.kind === 'message' ? entry.event.contentHash : NO_CONTENT;
}

/** Idempotency key of a record: conversation and message id. */
export function idempotencyKey(entry: LogEntry): string {
  return entry.event.conversationId + entry.event.messageId;
}
