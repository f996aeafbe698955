import { Partitioners } from 'kafkajs';
import { murmur2, partitionOf } from './partitioner';

// From Apache Kafka, UtilsTest.testMurmur2.
it.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %j is that of the Java client', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

it('chooses the partition that kafkajs chooses', () => {
  const choose = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: 24 }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  for (let n = 0; n < 500; n++) {
    const key = `${'kä'.repeat(n % 7)}${n * 7919}`;
    const message = { key, value: '' };
    expect(partitionOf(key, 24)).toBe(choose({ topic: 't', partitionMetadata, message }));
  }
});
