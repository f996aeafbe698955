import fc from 'fast-check';
import { type MessageRow, messageText, toMessage } from './message.mapper';

const when = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2200-01-01') });
const row: fc.Arbitrary<MessageRow> = fc.record({
  conversation_id: fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
  message_id: fc.uuid(),
  position: fc.bigInt({ min: 1n, max: 2n ** 62n }).map(String),
  version: fc.bigInt({ min: 0n, max: 2n ** 62n }).map(String),
  sender_id: fc.uuid(),
  sent_at: when,
  expires_at: fc.option(when),
  deleted: fc.boolean(),
  content: fc.option(
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify({ kind: 'text', text })),
  ),
  extras: fc.option(
    fc
      .record({ replyTo: fc.uuid(), meta: fc.jsonValue() }, { requiredKeys: [] })
      .map((extras) => JSON.stringify(extras)),
  ),
});

describe('a message as text', () => {
  it('is the message', () => {
    fc.assert(
      fc.property(row, (one) => {
        expect(JSON.parse(messageText(one))).toEqual(JSON.parse(JSON.stringify(toMessage(one))));
      }),
    );
  });
});
