import type {
  ConversationChanged,
  MessageChanged,
  MessageSent,
} from '@tidings/common/log-events/events';

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

/** An edit or deletion of a message in the conversation log; `event.position` is the message's. */
export interface ChangeEntry extends Place {
  kind: 'change';
  event: MessageChanged;
}

/** A parsed record of the conversation log. */
export type LogEntry = MessageEntry | ChangeEntry | ConversationEntry;

/** The content hash that stands for "written by the server" in comparisons. */
const NO_CONTENT = '';

/** What tells two records under one id apart, beside who made them. */
export function fingerprint(entry: LogEntry): string {
  if (entry.kind === 'message') return entry.event.contentHash;
  return entry.kind === 'change' ? entry.event.changeHash : NO_CONTENT;
}

/** Who made a record: the sender of a message, the changer of a change. */
export function authorOf(entry: LogEntry): string {
  return entry.kind === 'change' ? entry.event.userId : entry.event.senderId;
}

/** Whether a change deletes its message. */
export function isDeletion({ event }: ChangeEntry): boolean {
  return event.content.kind === 'deleted';
}

/** When a message's life, or that of the message that a change is about, is over: Unix milliseconds. */
export function endOf(entry: LogEntry): number | undefined {
  if (entry.kind === 'conversation') return undefined;
  const { expiresAt } = entry.event;
  return expiresAt === undefined ? undefined : Date.parse(expiresAt);
}

/** Whether it is over at this time. */
export function isExpired(entry: LogEntry, nowMs: number): boolean {
  return (endOf(entry) ?? Infinity) <= nowMs;
}
