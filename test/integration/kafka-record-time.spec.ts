import { type KafkaClient, createKafka } from '@tidings/common/kafka/wire/client';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { type AppendResult, LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { ensureTopics } from '@tidings/common/kafka/wire/topics';
import { type Servers, startServers } from '../../tools/stack/servers';
import { testTopic } from '../support/kafka-topic';

describe('kafka: times of records', () => {
  const topic = 'record-times';
  let servers: Servers;
  let kafka: KafkaClient;
  let writer: LogWriter;
  let offsets: LogOffsets;

  beforeAll(async () => {
    servers = await startServers({ kafka: true });
    kafka = createKafka({ brokers: [servers.brokers], clientId: 'test' });
    const config = { 'message.timestamp.type': 'LogAppendTime' };
    await ensureTopics(kafka, [testTopic(topic, 2, config)]);
    writer = new LogWriter({ kafka, topic, partitions: 2, source: 'test', epoch: 1 });
    await writer.start();
    offsets = new LogOffsets(kafka);
  }, 240_000);

  afterAll(async () => {
    offsets?.close();
    await writer?.stop({ flushMs: 1_000 });
    await servers?.stop();
  });

  const append = (n: number): Promise<Extract<AppendResult, { ok: true }>> =>
    new Promise((resolve, reject) => {
      const record = { key: 'key', type: 't', id: `id-${n}`, time: '', value: 'x'.repeat(2_000) };
      const taken = writer.append(record, (result) =>
        result.ok ? resolve(result) : reject(result),
      );
      if (!taken) reject(new Error('busy'));
    });

  it('are those that the broker gave, also in the middle of a batch', async () => {
    const appended = await Promise.all(Array.from({ length: 200 }, (_, n) => append(n)));
    for (const n of [0, 1, 99, 199]) {
      const { partition, offset, timestamp } = appended[n]!;
      expect(await offsets.recordTime(topic, partition, offset, 10_000)).toBe(timestamp);
    }
  });

  it('are not told of records beyond the end, or that are gone', async () => {
    const { partition, offset } = await append(0);
    const read = (at: bigint) => offsets.recordTime(topic, partition, at, 10_000);
    expect(await read(offset + 1n)).toBeNull();
    expect(await read(offset + 1_000n)).toBeNull();
    const admin = kafka.instance().admin();
    await admin.connect();
    // loads the topic's metadata, which kafkajs forgets to do below
    await admin.fetchTopicOffsets(topic);
    const seek = [{ partition, offset: String(offset) }];
    await admin.deleteTopicRecords({ topic, partitions: seek });
    await admin.disconnect();
    expect(await read(offset - 1n)).toBeNull();
    expect(await read(offset)).toEqual(expect.any(Number));
  });

  it('are not told when no broker answers', async () => {
    const nowhere = createKafka({ brokers: ['127.0.0.1:1'], clientId: 'test' });
    const lost = new LogOffsets(nowhere);
    await expect(lost.recordTime(topic, 0, 0n, 300)).rejects.toThrow('not available');
    lost.close();
  });
});
