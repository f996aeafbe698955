import { hash } from 'node:crypto';
import { contentHashText, type Content } from '@tidings/protocol/content';
import { EVENT_TYPES, type MessageSent } from '../log-events/events';
import { endingFields } from '../log-events/message-fields';
import type { Extras } from '@tidings/protocol/extras';
import type { OutRecord } from '../log-events/record';

const HASH_BYTES = 16;

/** Tells two sends apart under one message id: 16 bytes of SHA-256, base64url. */
export function contentHashOf(content: Content, extras: Extras | null = null): string {
  return shortHash(contentHashText(content, extras));
}

/** 16 bytes of SHA-256 over UTF-8 text, base64url. */
export function shortHash(text: string): string {
  return hash('sha256', text, 'buffer').toString('base64url', 0, HASH_BYTES);
}

/** A message for the log. */
export type RecordedMessage = Omit<MessageSent, keyof Extras> & { extras: Extras | null };

/** The log record of a message. All but content and extras is known to need no escaping. */
export function messageRecord(message: RecordedMessage): OutRecord {
  const { conversationId, messageId, senderId, deviceId, contentHash, sentAt } = message;
  const { expiresAt, extras } = message;
  const content = JSON.stringify(message.content);
  const more = endingFields(expiresAt, extras);
  return {
    key: conversationId,
    type: EVENT_TYPES.messageSent,
    id: messageId,
    time: sentAt,
    value: `{"conversationId":"${conversationId}","messageId":"${messageId}","senderId":"${senderId}","deviceId":"${deviceId}","content":${content},"contentHash":"${contentHash}","sentAt":"${sentAt}"${more}}`,
  };
}
