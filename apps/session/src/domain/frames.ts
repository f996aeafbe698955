import { ERRORS, type ErrorCode } from '@tidings/protocol/errors';
import type { MessageChanged, MessageSent } from '@tidings/common/log-events/events';
import { endingFields } from '@tidings/common/log-events/message-fields';
import type { ErrorFrame, MessageFrame, ServerFrame } from '@tidings/protocol/frames';
import {
  type ChangeEntry,
  type ConversationEntry,
  isDeletion,
  type LogEntry,
  type MessageEntry,
} from './entry';

/** A message that was never changed. */
const FIRST_VERSION: MessageFrame['version'] = '0';

/**
 * The push of a record as JSON text. `previous`: position of the conversation's preceding record,
 * null when unknown. Ids were checked at the edge and need no escaping.
 */
export function encodePush(entry: LogEntry, previous: bigint | null): string {
  if (entry.kind === 'message') return encodeMessage(entry, previous);
  return entry.kind === 'change'
    ? encodeChange(entry, previous)
    : encodeConversation(entry, previous);
}

function encodeMessage({ event, position }: MessageEntry, previous: bigint | null): string {
  return (
    `{"type":"message",${place(event.conversationId, position, previous)}` +
    `,${body(event)},"version":"${FIRST_VERSION}"${endingFields(event.expiresAt, event)}}`
  );
}

function encodeChange(entry: ChangeEntry, previous: bigint | null): string {
  const { event, position } = entry;
  const deleted = isDeletion(entry) ? ',"deleted":true' : '';
  return (
    `{"type":"changed",${place(event.conversationId, event.position, previous)}` +
    `,${body(event)},"version":"${position}"${endingFields(event.expiresAt, event)}${deleted}` +
    `,"changeId":"${event.changeId}"}`
  );
}

function encodeConversation(
  { event, position }: ConversationEntry,
  previous: bigint | null,
): string {
  return (
    `{"type":"conversation",${place(event.conversationId, position, previous)}` +
    `,"messageId":"${event.messageId}","senderId":"${event.senderId}"` +
    `,"sentAt":"${event.sentAt}","change":${JSON.stringify(event.change)}}`
  );
}

function body({ messageId, senderId, content, sentAt }: MessageSent | MessageChanged): string {
  return (
    `"messageId":"${messageId}","senderId":"${senderId}"` +
    `,"content":${JSON.stringify(content)},"sentAt":"${sentAt}"`
  );
}

function place(conversationId: string, position: bigint | string, previous: bigint | null): string {
  const before = previous === null ? 'null' : `"${previous}"`;
  return `"conversationId":"${conversationId}","position":"${position}","previous":${before}`;
}

/** Tells the sender's devices that none of these users' devices is connected. */
export function encodePending(entry: MessageEntry, offline: readonly string[]): string {
  const { conversationId, messageId } = entry.event;
  const frame: Extract<ServerFrame, { type: 'pending' }> = {
    type: 'pending',
    conversationId,
    messageId,
    position: String(entry.position),
    offline: [...offline],
  };
  return JSON.stringify(frame);
}

/** Tells a device that its message or change was dropped: its id stands for another one already. */
export function encodeConflict(entry: MessageEntry | ChangeEntry): string {
  const code: ErrorCode = 'message_id_conflict';
  const { conversationId, messageId } = entry.event;
  const about =
    entry.kind === 'message' ? { ref: messageId, messageId } : { ref: entry.event.changeId };
  const frame: ErrorFrame = {
    type: 'error',
    ...about,
    conversationId,
    code,
    detail: ERRORS[code].title,
    retryable: ERRORS[code].retryable,
  };
  return JSON.stringify(frame);
}
