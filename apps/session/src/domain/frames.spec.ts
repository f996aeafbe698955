import fc from 'fast-check';
import { serverFrame } from '@tidings/protocol/frames';
import { changeAt, editAt, messageAt, uuid } from '../../test/entries';
import { encodeConflict, encodePending, encodePush } from './frames';

describe('frames', () => {
  it('a message says what the contract says, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.option(fc.nat()), (text, before) => {
        const entry = messageAt(5, { text });
        const previous = before === null ? null : BigInt(before);
        const frame = encodePush(entry, previous);
        expect(frame.includes('\n')).toBe(false);
        expect(serverFrame.parse(JSON.parse(frame))).toEqual({
          type: 'message',
          conversationId: 'c',
          position: '1005',
          previous: before === null ? null : String(before),
          messageId: entry.event.messageId,
          senderId: entry.event.senderId,
          content: { kind: 'text', text },
          sentAt: entry.event.sentAt,
          version: '0',
        });
      }),
    );
  });

  it('a message carries what it has beside its content', () => {
    const entry = messageAt(5);
    const extras = { replyTo: uuid(7), mentions: [uuid(8)], meta: { a: '"\u2028' } };
    Object.assign(entry.event, extras, { content: { kind: 'custom', data: [1, { b: null }] } });
    expect(serverFrame.parse(JSON.parse(encodePush(entry, 0n)))).toMatchObject({
      ...extras,
      content: { kind: 'custom', data: [1, { b: null }] },
    });
  });

  it('a message carries its end', () => {
    const entry = messageAt(5);
    entry.event.expiresAt = '2026-02-03T04:05:06.789Z';
    expect(JSON.parse(encodePush(entry, 0n))).toMatchObject({ expiresAt: entry.event.expiresAt });
  });

  it('an edit is the whole message at its place, with the version of the change', () => {
    const entry = editAt(9, 5, { text: 'a "b"\u2028' });
    Object.assign(entry.event, { replyTo: uuid(7), expiresAt: '2026-02-03T04:05:06.789Z' });
    expect(serverFrame.parse(JSON.parse(encodePush(entry, null)))).toEqual({
      type: 'changed',
      changeId: uuid(9),
      conversationId: 'c',
      position: '1005',
      previous: null,
      messageId: uuid(5),
      senderId: uuid(1),
      content: { kind: 'text', text: 'a "b"\u2028' },
      sentAt: entry.event.sentAt,
      version: '1009',
      expiresAt: '2026-02-03T04:05:06.789Z',
      replyTo: uuid(7),
    });
  });

  it('a deletion leaves nothing of the content', () => {
    const frame: unknown = JSON.parse(encodePush(editAt(9, 5, { text: null }), 7n));
    expect(serverFrame.parse(frame)).toMatchObject({
      content: { kind: 'deleted' },
      deleted: true,
      version: '1009',
      previous: '7',
    });
  });

  it.each([
    ['changed', encodePush(editAt(2, 1), 0n)],
    ['error', encodeConflict(editAt(2, 1))],
    ['conversation', encodePush(changeAt(1, { users: [1, 2] }), 0n)],
    ['pending', encodePending(messageAt(1), [messageAt(1).event.senderId])],
    ['error', encodeConflict(messageAt(1))],
  ])('%s says what the contract says', (type, frame) => {
    expect(serverFrame.parse(JSON.parse(frame))).toEqual(JSON.parse(frame));
    expect(JSON.parse(frame)).toMatchObject({ type });
  });
});
