import { ByteWriter } from './byte-writer';
import { decodeFetch } from './fetch-decoder';
import { ProduceEncoder } from './produce-request';

const TIME = 1_700_000_000_000;

/** Record batches as a producer of this project writes them, with the broker's base offset. */
async function batch(baseOffset: bigint, ids: string[], again = false): Promise<Buffer> {
  const encoder = new ProduceEncoder('t', { source: 'node-1', epoch: 7 });
  encoder.begin(1);
  const record = { key: 'kä', type: 'event', time: 'now', headers: { traceparent: 'tp' } };
  encoder.add(
    0,
    ids.map((id) => ({ again, record: { ...record, id, value: `{"id":"${id}"}` } })),
    TIME,
  );
  const request = (await encoder.request().request.encode()).buffer;
  const bytes = Buffer.from(request.subarray(request.indexOf('t', 8) + 1 + 4 + 4 + 4));
  bytes.writeBigInt64BE(baseOffset);
  return bytes;
}

interface Part {
  partition: number;
  errorCode?: number;
  records?: Buffer;
}

/** A Fetch response, version 11. */
function response(parts: Part[]): Buffer {
  const out = new ByteWriter();
  out.int32(3); // throttle
  out.int16(0);
  out.int32(99);
  out.int32(1);
  out.string16('topic');
  out.int32(parts.length);
  for (const { partition, errorCode = 0, records = Buffer.alloc(0) } of parts) {
    out.int32(partition);
    out.int16(errorCode);
    for (const offset of [100n, 100n, 0n]) out.int64(offset);
    out.int32(-1);
    out.int32(-1);
    out.int32(records.length);
    out.raw(records);
  }
  return Buffer.from(out.bytes());
}

it('decodes records of several batches and partitions', async () => {
  const records = Buffer.concat([await batch(40n, ['a', 'b']), await batch(42n, ['c'], true)]);
  const answer = decodeFetch(response([{ partition: 1, records }, { partition: 2 }]))!;
  expect(answer).toMatchObject({ clientSideThrottleTime: 3, errorCode: 0 });
  const [first, second] = answer.responses[0]!.partitions;
  expect(first).toMatchObject({ partition: 1, highWatermark: 100n, errorCode: 0 });
  expect(first!.messages).toMatchObject([
    {
      topic: 'topic',
      partition: 1,
      offset: 40n,
      timestamp: TIME,
      key: 'kä',
      type: 'event',
      id: 'a',
      source: 'node-1',
      time: 'now',
      epoch: 7,
      again: false,
      value: Buffer.from('{"id":"a"}'),
      isControlRecord: false,
    },
    { offset: 41n, id: 'b' },
    { offset: 42n, id: 'c', again: true },
  ]);
  expect(first!.messages[2]!.headers).toMatchObject({
    traceparent: Buffer.from('tp'),
    again: Buffer.from('1'),
    ce_specversion: Buffer.from('1.0'),
  });
  expect(second).toMatchObject({ partition: 2, messages: [] });
});

it('leaves out a batch that is cut off at every place', async () => {
  const [whole, cut] = [await batch(0n, ['a']), await batch(1n, ['b', 'c'])];
  for (let size = 0; size < cut.length; size++) {
    const records = Buffer.concat([whole, cut.subarray(0, size)]);
    const answer = decodeFetch(response([{ partition: 0, records }, { partition: 1 }]));
    const { partitions } = answer!.responses[0]!;
    expect(partitions.map(({ messages }) => messages.map(({ id }) => id))).toEqual([['a'], []]);
  }
});

it('keeps the error of a partition', () => {
  const answer = decodeFetch(response([{ partition: 0, errorCode: 1 }]));
  expect(answer!.responses[0]!.partitions).toMatchObject([{ errorCode: 1, messages: [] }]);
});

it('takes the broker time of a topic that has it', async () => {
  const records = await batch(0n, ['a']);
  records.writeInt16BE(0x08, 21);
  records.writeBigInt64BE(BigInt(TIME) + 5n, 35);
  const answer = decodeFetch(response([{ partition: 0, records }]));
  expect(answer!.responses[0]!.partitions[0]!.messages[0]!.timestamp).toBe(TIME + 5);
});

it.each([
  ['compressed', 21, 0x01],
  ['transactional', 21, 0x10],
  ['a control batch', 21, 0x20],
])('leaves a batch that is %s to kafkajs', async (_, place, attributes) => {
  const records = await batch(0n, ['a']);
  records.writeInt16BE(attributes, place);
  expect(decodeFetch(response([{ partition: 0, records }]))).toBeNull();
});

it('leaves old formats to kafkajs', async () => {
  const records = await batch(0n, ['a']);
  records[16] = 1;
  expect(decodeFetch(response([{ partition: 0, records }]))).toBeNull();
});
