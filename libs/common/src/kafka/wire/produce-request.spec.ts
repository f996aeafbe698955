import { WireReader, decodeRecordBatch } from '../../../../../test/support/kafka-wire';
import { ProduceEncoder } from './produce-request';

const encoder = new ProduceEncoder('a-topic', { source: 'node-1', epoch: 7 });

async function encode(batches: Record<number, { value: string | Buffer; again?: boolean }[]>) {
  encoder.begin(1_500);
  for (const [partition, records] of Object.entries(batches)) {
    const encodable = records.map(({ value, again = false }, n) => ({
      again,
      record: { key: 'k', type: 'an-event', id: `id-${n}`, time: 'now', value },
    }));
    encoder.add(Number(partition), encodable, 1_700_000_000_000);
  }
  return (await encoder.request().request.encode()).buffer;
}

function decode(bytes: Buffer) {
  const reader = new WireReader(bytes);
  const head = { transactionalId: reader.int16(), acks: reader.int16(), timeout: reader.int32() };
  const topics = reader.array(() => ({
    topic: reader.string(),
    partitions: reader.array(() => ({
      partition: reader.int32(),
      records: decodeRecordBatch(reader.take(reader.int32())),
    })),
  }));
  expect(reader.at).toBe(bytes.length);
  return { ...head, topics };
}

it('encodes several partitions for all in-sync replicas', async () => {
  const request = decode(
    await encode({ 3: [{ value: 'a' }, { value: 'b' }], 5: [{ value: 'c' }] }),
  );
  expect(request).toMatchObject({ transactionalId: -1, acks: -1, timeout: 1_500 });
  expect(request.topics).toHaveLength(1);
  const values = request.topics[0]!.partitions.map(({ partition, records }) => [
    partition,
    records.map(({ value }) => value),
  ]);
  expect(values).toEqual([
    [3, ['a', 'b']],
    [5, ['c']],
  ]);
});

it.each([0, 1, 62, 63, 64, 127, 128, 8_000, 8_191, 8_192, 100_000, 1_048_575, 2_000_000])(
  'encodes a value of %d bytes',
  async (size) => {
    const value = 'x'.repeat(size);
    const request = decode(await encode({ 0: [{ value }, { value: Buffer.from(value) }] }));
    const [partition] = request.topics[0]!.partitions;
    expect(partition!.records.map((record) => record.value.length)).toEqual([size, size]);
  },
);

it('encodes text beyond ASCII by its bytes', async () => {
  const request = decode(await encode({ 0: [{ value: '{"text":"Grüße 👋"}' }] }));
  expect(request.topics[0]!.partitions[0]!.records[0]!.value).toBe('{"text":"Grüße 👋"}');
});

it('marks only what may be a second copy', async () => {
  const request = decode(await encode({ 0: [{ value: '1', again: true }, { value: '2' }] }));
  const marks = request.topics[0]!.partitions[0]!.records.map(({ headers }) => headers.again);
  expect(marks).toEqual(['1', undefined]);
});
