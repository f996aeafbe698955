import { changeHashText, type Message } from '@tidings/protocol/content';
import { EVENT_TYPES, type MessageChanged } from '@tidings/common/log-events/events';
import { extrasOf } from '@tidings/protocol/extras';
import type { OutRecord } from '@tidings/common/log-events/record';
import type { ChangeRequest } from './change-rules';
import { shortHash } from '../send/message-record';

/** Tells two changes apart under one change id. */
export function changeHashOf({ messageId, content }: ChangeRequest): string {
  return shortHash(changeHashText(messageId, content));
}

/** The log record of a change: the message as it is afterwards. `time`: ISO 8601, now. */
export function changeRecord(request: ChangeRequest, message: Message, time: string): OutRecord {
  const { conversationId, changeId, userId, deviceId, content } = request;
  const { messageId, position, senderId, sentAt, expiresAt } = message;
  const event: MessageChanged = {
    conversationId,
    changeId,
    userId,
    deviceId,
    changeHash: changeHashOf(request),
    messageId,
    position,
    senderId,
    content: content ?? { kind: 'deleted' },
    sentAt,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(content !== null && extrasOf(message)),
  };
  return {
    key: conversationId,
    type: EVENT_TYPES.messageChanged,
    id: changeId,
    time,
    value: JSON.stringify(event),
  };
}
