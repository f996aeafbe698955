import type { DeadLetter, DeadLetterMark } from '../../log-events/dead-letter';
import { isOpen, LetterBook, settledBy } from './letter-book';

const origin = (n: number, timestamp = n) => ({
  topic: 'log',
  partition: 0,
  offset: BigInt(n),
  timestamp,
});

function letter(n: number, more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    kind: 'letter',
    origin: origin(n),
    topic: 'a.dlq',
    partition: 0,
    offset: BigInt(n),
    group: 'a',
    reason: 'no',
    at: n,
    key: 'k',
    type: 't',
    eventId: `${n}`,
    time: '',
    epoch: 1,
    bytes: 1,
    senderId: null,
    ...more,
  };
}

function mark(n: number, kind: DeadLetterMark['mark'], offset = 100n): DeadLetterMark {
  const place = { origin: origin(n), topic: 'a.dlq', partition: 0, offset, at: 1 };
  return { kind: 'mark', mark: kind, ...place, by: 'op', reason: '', to: '' };
}

function bookOf(...found: (DeadLetter | DeadLetterMark)[]): LetterBook {
  const book = new LetterBook(100);
  for (const one of found) book.take(one);
  return book;
}

const ids = (book: LetterBook) => book.open().map(({ id }) => id);

describe('the book of dead letters', () => {
  it('has a record once, whichever groups set it aside how often', () => {
    const other = letter(1, { topic: 'b.dlq', group: 'b' });
    const book = bookOf(letter(1), other, letter(1, { offset: 9n }), letter(2));
    expect(ids(book)).toEqual(['log/0/1', 'log/0/2']);
    expect(book.find('log/0/1')!.letters).toEqual([letter(1), other]);
    expect([book.openIn('a.dlq'), book.openIn('b.dlq'), book.openIn('c.dlq')]).toEqual([2, 1, 0]);
  });

  it.each(['replayed', 'dropped'] as const)('counts what was %s no more, in no group', (kind) => {
    const book = bookOf(letter(1), letter(1, { topic: 'b.dlq' }), mark(1, kind));
    expect([ids(book), book.openIn('a.dlq'), book.openIn('b.dlq')]).toEqual([[], 0, 0]);
    expect(settledBy(book.find('log/0/1')!)).toMatchObject({ mark: kind });
    // a copy that comes late changes nothing
    book.take(letter(1, { topic: 'c.dlq' }));
    expect([book.openIn('c.dlq'), book.all().length]).toEqual([0, 1]);
  });

  it('counts what is being replayed: that may have been cut off', () => {
    expect(ids(bookOf(letter(1), mark(1, 'replaying')))).toEqual(['log/0/1']);
  });

  it('tells records of the same place apart, the latest open one first', () => {
    const anew = letter(1, { origin: origin(1, 999) });
    const book = bookOf(letter(1), anew);
    expect(book.find('log/0/1')!.letters).toEqual([anew]);
    book.take({ ...mark(1, 'dropped'), origin: origin(1, 999) });
    expect(book.find('log/0/1')!.letters).toEqual([letter(1)]);
    book.take(mark(1, 'dropped'));
    expect(isOpen(book.find('log/0/1')!)).toBe(false);
  });

  it('forgets what retention has taken', () => {
    const book = bookOf(letter(1), letter(2), mark(1, 'dropped', 3n));
    book.trim('a.dlq', 0, 2n);
    expect(book.all().map(({ id }) => id)).toEqual(['log/0/2']);
    book.trim('b.dlq', 0, 9n);
    book.trim('a.dlq', 1, 9n);
    expect(ids(book)).toEqual(['log/0/2']);
    book.forget('a.dlq');
    expect(book.all()).toEqual([]);
  });

  it('holds so many, and counts the others; what is settled makes room first', () => {
    const book = new LetterBook(2);
    for (const n of [1, 2, 3]) book.take(letter(n));
    expect([ids(book).length, book.openIn('a.dlq')]).toEqual([2, 3]);
    book.take(mark(1, 'dropped'));
    book.take(letter(4));
    expect(ids(book)).toEqual(['log/0/2', 'log/0/4']);
    for (let i = 0; i < 50; i++) book.take(mark(2, 'replaying', BigInt(i)));
    expect(book.find('log/0/2')!.marks).toHaveLength(8);
  });
});
