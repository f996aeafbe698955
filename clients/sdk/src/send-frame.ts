import { extrasOf } from '@tidings/protocol/extras';
import type { SendFrame } from '@tidings/protocol/frames';
import type { OutboxRecord } from './outbox-store';

/** The `send` frame of a message. `retry`: it may have been on the wire before. */
export function encodeSend(record: OutboxRecord, retry: boolean): string {
  const { messageId, conversationId, to, content } = record;
  const address = { messageId, conversationId, to };
  const frame: SendFrame = { type: 'send', ...address, content, ...extrasOf(record) };
  if (retry) frame.retry = true;
  return JSON.stringify(frame);
}
