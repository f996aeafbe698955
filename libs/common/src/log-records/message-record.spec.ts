import { createHash } from 'node:crypto';
import { EVENT_TYPES, messageSent } from '../log-events/events';
import { contentHashOf, messageRecord } from './message-record';

const content = { kind: 'text', text: 'a "quoted" line\n and 👋 \u2028' } as const;

describe('contentHashOf', () => {
  it('is 16 bytes of SHA-256 over the content in a fixed order', () => {
    const whole = createHash('sha256')
      .update(JSON.stringify(['text', content.text]))
      .digest();
    expect(contentHashOf(content)).toBe(whole.subarray(0, 16).toString('base64url'));
    expect(contentHashOf(content)).toHaveLength(22);
  });

  it('tells contents apart', () => {
    expect(contentHashOf({ kind: 'text', text: 'a' })).not.toBe(
      contentHashOf({ kind: 'text', text: 'b' }),
    );
  });
});

describe('messageRecord', () => {
  const message = {
    conversationId: 'c-_1',
    messageId: '01890a5d-ac96-774b-bcce-b302099a8057',
    senderId: '01890a5d-ac96-774b-bcce-b302099a8001',
    deviceId: '01890a5d-ac96-774b-bcce-b302099a8002',
    content,
    contentHash: contentHashOf(content),
    sentAt: '2026-01-02T03:04:05.678Z',
  };

  it('is the event that readers expect', () => {
    const record = messageRecord({ ...message, extras: null });
    expect(messageSent.parse(JSON.parse(record.value as string))).toEqual(message);
    expect(record).toMatchObject({
      key: 'c-_1',
      type: EVENT_TYPES.messageSent,
      id: message.messageId,
      time: message.sentAt,
    });
  });

  it('says when the message ends', () => {
    const expiresAt = '2026-01-02T03:04:15.678Z';
    const record = messageRecord({ ...message, expiresAt, extras: null });
    expect(messageSent.parse(JSON.parse(record.value as string))).toEqual({
      ...message,
      expiresAt,
    });
  });

  it('carries what a message has beside its content', () => {
    const extras = { replyTo: message.senderId, mentions: [message.senderId], meta: { 'k"': 1 } };
    const data = { a: ['"'] };
    const rich = { ...message, content: { kind: 'custom', data } as const };
    const record = messageRecord({ ...rich, extras });
    expect(messageSent.parse(JSON.parse(record.value as string))).toEqual({ ...rich, ...extras });
  });
});
