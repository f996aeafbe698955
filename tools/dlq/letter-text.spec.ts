import type { BookEntry } from '@tidings/common/kafka/dead-letters/letter-book';
import type { DeadLetterMark } from '@tidings/common/log-events/dead-letter';
import { decodeRecord } from '@tidings/common/log-events/record';
import { listEnd, listLines, showLines } from './letter-text';

const AT = Date.parse('2026-01-01T10:00:00.000Z');
const ORIGIN = { topic: 'chat.messages.v1', partition: 3, offset: 41n, timestamp: AT };
const LETTER = {
  kind: 'letter' as const,
  origin: ORIGIN,
  topic: 'x.dlq',
  partition: 0,
  offset: 5n,
  at: AT + 10,
  group: 'storage-writer',
  reason: 'no \u001b[2J',
  key: 'conversation',
  type: 'tidings.message.sent.v1',
  eventId: 'i',
  time: '',
  epoch: 1,
  bytes: 7,
  senderId: null,
};
const mark = (kind: DeadLetterMark['mark'], more = {}): DeadLetterMark => {
  const place = { origin: ORIGIN, topic: 'x.dlq', partition: 0, offset: 6n, at: AT + 20 };
  return { kind: 'mark', mark: kind, ...place, by: 'op@host', reason: '', to: '', ...more };
};
const entryOf = (...marks: DeadLetterMark[]): BookEntry => ({
  id: 'chat.messages.v1/3/41',
  origin: ORIGIN,
  letters: [LETTER, { ...LETTER, group: 'session-routing', topic: 'y.dlq' }],
  marks,
});
const RECORD = decodeRecord('x.dlq', 0, {
  offset: '5',
  timestamp: String(AT),
  key: Buffer.from('conversation'),
  value: Buffer.from(`${'a'.repeat(2_047)}\u202eb`),
  headers: { ce_id: 'i', dlq_reason: 'no' },
});

describe('dead letters for a terminal', () => {
  it('are a line each, without anything that a terminal would obey', () => {
    expect(listLines([])).toEqual([]);
    const [head, line] = listLines([entryOf()]);
    expect(head).toMatch(/^ID +SET ASIDE +STATE +GROUPS +KEY +TYPE +BYTES +WHY$/);
    expect(line!.split(/ {2,}/)).toEqual([
      'chat.messages.v1/3/41',
      '2026-01-01T10:00:00.010Z',
      'open',
      'storage-writer,session-routing',
      'conversation',
      'tidings.message.sent.v1',
      '7',
      'no \\u001b[2J',
    ]);
    expect(listLines([entryOf(mark('replaying'))])[1]).toContain('  replaying  ');
    expect(listLines([entryOf(mark('replaying'), mark('dropped'))])[1]).toContain('  dropped ');
  });

  it.each([
    [0, 0, false, 'There are no open dead letters.'],
    [1, 1, false, '1 open dead letter'],
    [2, 5, true, '5 dead letters; 3 more: --max 5'],
  ])('end with how many there are (%i of %i)', (shown, total, all, text) => {
    expect(listEnd(shown, total, all)).toBe(text);
  });

  it('are shown in full, with what was done about them', () => {
    const entry = entryOf(mark('dropped', { reason: 'spam' }));
    const lines = showLines(entry, RECORD, 'may be replayed', false);
    expect(lines.slice(0, 8)).toEqual([
      'chat.messages.v1/3/41',
      '  state      dropped',
      '  appended   2026-01-01T10:00:00.000Z',
      '  set aside  2026-01-01T10:00:00.010Z by storage-writer: no \\u001b[2J (x.dlq/0/5)',
      '  set aside  2026-01-01T10:00:00.010Z by session-routing: no \\u001b[2J (y.dlq/0/5)',
      '  dropped    2026-01-01T10:00:00.020Z by op@host: spam',
      '  now        may be replayed',
      '  key        conversation',
    ]);
    expect(lines).toContain('  header     ce_id: i');
    expect(lines.join('\n')).not.toContain('dlq_reason');
    expect(lines.at(-2)).toBe('  value      2051 bytes, the first 2048; all: --whole');
    expect(showLines(entryOf(), RECORD, '', true).at(-1)).toMatch(/a\\u202eb$/);
  });
});
