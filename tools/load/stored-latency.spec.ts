import { Latency } from './generator/latency';
import { type ProgressSamples, appliedAt, recordStored } from './stored-latency';

const samples: ProgressSamples = {
  atMs: [100, 120, 140],
  next: [
    [5, 0],
    [6, 3],
    [9, 3],
  ],
  bases: [1000, 0],
};

describe('appliedAt', () => {
  it.each([
    [0, 1004, 0],
    [0, 1005, 1],
    [0, 1006, 2],
    [0, 1008, 2],
    [0, 1009, -1],
    [1, 0, 1],
    [1, 2, 1],
    [1, 3, -1],
  ])('partition %i, position %i: sample %i', (partition, position, index) => {
    expect(appliedAt(samples, partition, position)).toBe(index);
  });
});

it('records from schedule to the first sample that shows the message', () => {
  const latency = new Latency();
  const messages = [
    { partition: 0, position: 1005, scheduledMs: 90 },
    { partition: 0, position: 1009, scheduledMs: 90 },
  ];
  expect(recordStored(samples, messages, latency)).toBe(1);
  expect(latency.summary()).toMatchObject({ count: 1, p50: expect.closeTo(30, 1) });
});

it('knows no quantiles without values', () => {
  expect(new Latency().summary()).toEqual({ count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
});
