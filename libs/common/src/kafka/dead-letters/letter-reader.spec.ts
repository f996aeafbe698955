import { DEAD_LETTER_HEADERS as H } from '../../log-events/dead-letter';
import { decodeRecord, type LogRecord } from '../../log-events/record';
import type { LogPart } from '../offsets/log-offsets';
import { LetterBook } from './letter-book';
import { LetterReader } from './letter-reader';

function record(n: number): LogRecord {
  const headers = { [H.topic]: 'log', [H.partition]: '0', [H.offset]: `${n}`, [H.timestamp]: '1' };
  const message = { offset: String(n), timestamp: '1', key: null, value: null, headers };
  return decodeRecord('a.dlq', 0, message);
}

function setUp() {
  const log = { low: 0n, high: 0n };
  const asked: bigint[] = [];
  const offsets = {
    logBounds: () => Promise.resolve([{ ...log }]),
    read: (_topic: string, _partition: number, from: bigint): Promise<LogPart | null> => {
      asked.push(from);
      if (from < log.low || from > log.high) return Promise.resolve(null);
      const end = from + 2n < log.high ? from + 2n : log.high;
      const records: LogRecord[] = [];
      for (let n = from; n < end; n++) records.push(record(Number(n)));
      return Promise.resolve({ records, next: end, ...log });
    },
  };
  const book = new LetterBook(1_000);
  const reader = new LetterReader(offsets, 1_000);
  const held = () => book.open().map(({ origin }) => Number(origin.offset));
  return { log, asked, reader, book, held };
}

describe('reading dead letters', () => {
  it('goes on where it ended', async () => {
    const { log, asked, reader, book, held } = setUp();
    log.high = 3n;
    expect(await reader.readOn('a.dlq', book)).toBe(true);
    expect([held(), asked]).toEqual([
      [0, 1, 2],
      [0n, 2n],
    ]);
    log.high = 4n;
    expect(await reader.readOn('a.dlq', book)).toBe(true);
    expect([held(), asked]).toEqual([
      [0, 1, 2, 3],
      [0n, 2n, 3n],
    ]);
  });

  it('drops what retention has taken, also when that was not read yet', async () => {
    const { log, reader, book, held } = setUp();
    log.high = 4n;
    await reader.readOn('a.dlq', book);
    log.low = 2n;
    await reader.readOn('a.dlq', book);
    expect(held()).toEqual([2, 3]);
    Object.assign(log, { low: 10n, high: 12n });
    expect(await reader.readOn('a.dlq', book)).toBe(false);
    expect(await reader.readOn('a.dlq', book)).toBe(true);
    expect(held()).toEqual([10, 11]);
  });

  it('says that there is more, instead of reading for ever', async () => {
    const { log, reader, book, held } = setUp();
    log.high = 300n;
    let calls = 1;
    while (!(await reader.readOn('a.dlq', book))) calls++;
    expect([calls, held().length]).toEqual([3, 300]);
  });
});
