import { hash } from 'node:crypto';
import { contentHashText, type Content } from '@tidings/common/contracts/content';
import { EVENT_TYPES, type MessageSent } from '@tidings/common/contracts/events';
import type { OutRecord } from '@tidings/common/kafka/record';

const HASH_BYTES = 16;

/** Tells two contents apart under one message id: 16 bytes of SHA-256, base64url. */
export function contentHashOf(content: Content): string {
  return hash('sha256', contentHashText(content), 'buffer').toString('base64url', 0, HASH_BYTES);
}

/** The log record of a message. All but the content is known to need no escaping. */
export function messageRecord(message: MessageSent): OutRecord {
  const { conversationId, messageId, senderId, deviceId, contentHash, sentAt } = message;
  const content = JSON.stringify(message.content);
  return {
    key: conversationId,
    type: EVENT_TYPES.messageSent,
    id: messageId,
    time: sentAt,
    value: `{"conversationId":"${conversationId}","messageId":"${messageId}","senderId":"${senderId}","deviceId":"${deviceId}","content":${content},"contentHash":"${contentHash}","sentAt":"${sentAt}"}`,
  };
}
