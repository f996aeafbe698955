import { changeHashText, type EditableContent, type Message } from '@tidings/protocol/content';
import { type Extras, extrasOf } from '@tidings/protocol/extras';
import { EVENT_TYPES, type MessageChanged } from '../log-events/events';
import { shortHash } from './message-record';
import type { OutRecord } from '../log-events/record';

/** A change of a message as it is asked for. */
export interface ChangeRequest {
  conversationId: string;
  messageId: string;
  changeId: string;
  userId: string;
  deviceId: string;
  /** Null: delete. */
  content: EditableContent | null;
}

/** What a change leaves of a message: all but its content and version. */
type ChangedMessage = Extras &
  Pick<Message, 'messageId' | 'position' | 'senderId' | 'sentAt' | 'expiresAt'>;

/** Tells two changes apart under one change id. */
export function changeHashOf({ messageId, content }: ChangeRequest): string {
  return shortHash(changeHashText(messageId, content));
}

/** The log record of a change: the message as it is afterwards. `time`: ISO 8601, now. */
export function changeRecord(
  request: ChangeRequest,
  message: ChangedMessage,
  time: string,
): OutRecord {
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
