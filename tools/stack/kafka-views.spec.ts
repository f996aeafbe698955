import { topicSpecs } from '@tidings/common/log-events/topics';
import { durationText, lagLines, type PartitionLag, verdictLines } from './kafka-views';

const lag = (group: string, partition: number, more: Partial<PartitionLag> = {}): PartitionLag => {
  const place = { group, topic: 't', partition, committed: 5n, high: 5n };
  return { ...place, records: 0, seconds: null, lost: 0, ...more };
};
const LAGS = [
  lag('a', 0),
  lag('a', 1, { records: 3, seconds: 12.34, high: 8n }),
  lag('a', 2, { records: 4, seconds: 1, committed: null, high: 4n, lost: 7 }),
  lag('b', 0),
];

describe('npm run kafka', () => {
  it('lag: a line per group, with the age of the oldest record that waits', () => {
    expect(lagLines(LAGS)).toEqual([
      'GROUP  TOPIC  RECORDS  SECONDS  LOST',
      'a      t      7        12.3     7',
      'b      t      0        -        0',
    ]);
  });

  it('lag GROUP: a line per partition', () => {
    expect(lagLines(LAGS, 'a')).toEqual([
      'PARTITION  COMMITTED  END  RECORDS  SECONDS  LOST',
      't/0        5          5    0        -        0',
      't/1        5          8    3        12.3     0',
      't/2        -          4    4        1.0      7',
    ]);
    expect(() => lagLines(LAGS, 'c')).toThrow('There is no group "c": session-routing,');
  });

  it('verify: a line for each difference, or that there is none', () => {
    const specs = topicSpecs({ partitions: 8, replication: 3, minInsyncReplicas: 2 });
    expect(verdictLines([], specs)).toEqual([
      'All 10 topics are as prepare would make them (KAFKA_PARTITIONS=8 KAFKA_REPLICATION=3 KAFKA_MIN_INSYNC=2).',
    ]);
    const found = [
      { topic: 'a', what: 'replication', expected: '3', found: '1' },
      { topic: 'a', what: 'topic', expected: 'exists', found: null },
    ];
    expect(verdictLines(found, specs)).toEqual([
      'TOPIC  WHAT         EXPECTED  FOUND',
      'a      replication  3         1',
      'a      topic        exists    nothing',
      expect.stringMatching(/^1 of 10 topics differ/),
    ]);
  });

  it.each([
    [604_800_000, '7 d'],
    [3_600_000, '1 h'],
    [600_000, '10 min'],
    [1_500, '1500 ms'],
    [-1, 'for ever'],
  ])('says %i ms as %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
});
