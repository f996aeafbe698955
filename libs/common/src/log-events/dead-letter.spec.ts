import {
  DEAD_LETTER_HEADERS as H,
  letterId,
  markHeaders,
  originKey,
  readDeadLetter,
} from './dead-letter';
import { decodeRecord } from './record';

const ORIGIN = { topic: 'chat.messages.v1', partition: 3, offset: 41n, timestamp: 1_000 };
const LETTER = {
  [H.topic]: ORIGIN.topic,
  [H.partition]: '3',
  [H.offset]: '41',
  [H.timestamp]: '1000',
  [H.group]: 'storage-writer',
  [H.reason]: 'no',
};

function read(headers: Record<string, string>, value: string | null = '{"senderId":"ann"}') {
  const buffers = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)] as const);
  return readDeadLetter(
    decodeRecord('dlq', 0, {
      offset: '5',
      timestamp: '2000',
      key: Buffer.from('k'),
      value: value === null ? null : Buffer.from(value),
      headers: Object.fromEntries(buffers),
    }),
  );
}

describe('records of dead-letter topics', () => {
  it('are letters, with where their record was, who set it aside and why', () => {
    const ours = { ce_type: 't', ce_id: 'i', ce_time: 'now', epoch: '2' };
    expect(read({ ...LETTER, ...ours })).toEqual({
      kind: 'letter',
      origin: ORIGIN,
      topic: 'dlq',
      partition: 0,
      offset: 5n,
      at: 2_000,
      group: 'storage-writer',
      reason: 'no',
      key: 'k',
      type: 't',
      eventId: 'i',
      time: 'now',
      epoch: 2,
      bytes: 18,
      senderId: 'ann',
    });
    expect(letterId(ORIGIN)).toBe('chat.messages.v1/3/41');
    expect(originKey(ORIGIN)).toBe('chat.messages.v1/3/41@1000');
  });

  it.each(['garbage', '', 'null', '[]', '{"senderId":7}'])('may hold anything: %j', (value) => {
    expect(read(LETTER, value)).toMatchObject({ kind: 'letter', senderId: null });
  });

  it.each(['replaying', 'replayed', 'dropped'] as const)('or marks: %s', (mark) => {
    const said = { mark, by: 'op@host', reason: 'r', to: 'chat.messages.v1/5/7' };
    const place = { origin: ORIGIN, topic: 'dlq', partition: 0, offset: 5n, at: 2_000 };
    expect(read(markHeaders(ORIGIN, said), null)).toEqual({ kind: 'mark', ...place, ...said });
  });

  it.each([
    ['nothing', {}],
    ['no topic', { ...LETTER, [H.topic]: '' }],
    ['no partition', { ...LETTER, [H.partition]: '-1' }],
    ['no offset', { ...LETTER, [H.offset]: '9'.repeat(19) }],
    ['no time', { ...LETTER, [H.timestamp]: 'NaN' }],
    ['a mark that came later', { ...LETTER, [H.mark]: 'postponed' }],
  ])('or neither: %s', (_what, headers) => {
    expect(read(headers)).toBeNull();
  });
});
