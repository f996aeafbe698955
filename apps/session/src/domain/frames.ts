import { ERRORS, type ErrorCode } from '@tidings/common/contracts/errors';
import { extrasFields } from '@tidings/common/contracts/extras';
import type { ErrorFrame, MessageFrame, ServerFrame } from '@tidings/common/contracts/frames';
import type { ConversationEntry, LogEntry, MessageEntry } from './entry';

/** A message that was never changed. */
const FIRST_VERSION: MessageFrame['version'] = '0';

/**
 * The push of a record as JSON text. `previous`: position of the conversation's preceding record,
 * null when unknown. Ids were checked at the edge and need no escaping.
 */
export function encodePush(entry: LogEntry, previous: bigint | null): string {
  return entry.kind === 'message' ? encodeMessage(entry, previous) : encodeChange(entry, previous);
}

function encodeMessage({ event, position }: MessageEntry, previous: bigint | null): string {
  const expires =
    event.expiresAt === undefined ? '' : `,"expiresAt":${JSON.stringify(event.expiresAt)}`;
  return (
    `{"type":"message",${place(event.conversationId, position, previous)}` +
    `,"messageId":"${event.messageId}","senderId":"${event.senderId}"` +
    `,"content":${JSON.stringify(event.content)},"sentAt":${JSON.stringify(event.sentAt)}` +
    `,"version":"${FIRST_VERSION}"${expires}${extrasFields(event)}}`
  );
}

function encodeChange({ event, position }: ConversationEntry, previous: bigint | null): string {
  return (
    `{"type":"conversation",${place(event.conversationId, position, previous)}` +
    `,"messageId":"${event.messageId}","senderId":"${event.senderId}"` +
    `,"sentAt":${JSON.stringify(event.sentAt)},"change":${JSON.stringify(event.change)}}`
  );
}

function place(conversationId: string, position: bigint, previous: bigint | null): string {
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

/** Tells a device that its message was dropped: its id stands for another message already. */
export function encodeConflict(entry: MessageEntry): string {
  const code: ErrorCode = 'message_id_conflict';
  const { conversationId, messageId } = entry.event;
  const frame: ErrorFrame = {
    type: 'error',
    ref: messageId,
    messageId,
    conversationId,
    code,
    detail: ERRORS[code].title,
    retryable: ERRORS[code].retryable,
  };
  return JSON.stringify(frame);
}
