import { changeHashText, type Message } from '@tidings/common/contracts/content';
import { EVENT_TYPES, type MessageChanged } from '@tidings/common/contracts/events';
import { extrasOf } from '@tidings/common/contracts/extras';
import type { OutRecord } from '@tidings/common/kafka/record';
import type { ChangeRequest } from '../domain/change-rules';
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
