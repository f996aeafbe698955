import { EVENT_TYPES } from '@tidings/common/log-events/events';
import type { LogRecord } from '@tidings/common/log-events/record';
import { TOPICS } from '@tidings/common/log-events/topics';
import { changedMessage, judge } from './judge';

const ID = '019a4f3e-7c10-7a52-9d3b-5e1f8a2c6d05';
const KEY = 'mE2vJ0cGv3Q5s8u1TzX7kY4bN6wLpR9dFhA-iKoUq_g';
const COMMON = {
  conversationId: KEY,
  messageId: ID,
  senderId: ID,
  deviceId: ID,
  sentAt: '2026-01-01T00:00:00.000Z',
};
const SENT = { ...COMMON, content: { kind: 'text', text: 'a' }, contentHash: 'A'.repeat(22) };
const change = (content: object) => ({
  ...COMMON,
  changeId: ID,
  userId: ID,
  changeHash: 'A'.repeat(22),
  position: '7',
  content,
});
const record = (type: string, value: object): LogRecord =>
  ({ type, id: ID, key: KEY, value: Buffer.from(JSON.stringify(value)) }) as LogRecord;

describe('whether a record may be appended again', () => {
  it('is judged as its consumers do', () => {
    expect(judge(TOPICS.messages, record(EVENT_TYPES.messageSent, SENT))).toEqual({
      readable: true,
      edit: null,
      presence: false,
    });
    const broken = record(EVENT_TYPES.messageSent, { ...SENT, senderId: 'x' });
    expect(judge(TOPICS.messages, broken)).toMatchObject({
      readable: false,
      why: expect.stringContaining('senderId'),
    });
  });

  it.each([
    ['chat.other.v1', EVENT_TYPES.messageSent, 'not one of ours'],
    [TOPICS.messages, 'tidings.message.sent.v2', 'unknown version'],
    [TOPICS.messages, 'tidings.later.v1', 'not known to this version'],
    [TOPICS.messages, '', 'ce_type is missing'],
  ])('not on %s as %s', (topic, type, why) => {
    const found = judge(topic, record(type, SENT));
    expect(found).toEqual({ readable: false, why: expect.stringContaining(why) });
  });

  it('depends on what came later for an edit, not for a deletion', () => {
    const edit = record(EVENT_TYPES.messageChanged, change({ kind: 'text', text: 'b' }));
    const deletion = record(EVENT_TYPES.messageChanged, change({ kind: 'deleted' }));
    expect(judge(TOPICS.messages, edit)).toMatchObject({ edit: { messageId: ID } });
    expect(judge(TOPICS.messages, deletion)).toMatchObject({ readable: true, edit: null });
    for (const one of [edit, deletion]) expect(changedMessage(one)).toBe(ID);
    expect(changedMessage(record(EVENT_TYPES.messageSent, SENT))).toBeNull();
    expect(changedMessage(record(EVENT_TYPES.messageChanged, {}))).toBeNull();
  });
});
