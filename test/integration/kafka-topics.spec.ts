import { type KafkaClient, createKafka } from '@tidings/common/kafka/wire/client';
import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { TopicMismatchError, checkTopics, ensureTopics } from '@tidings/common/kafka/wire/topics';
import { topicDifferences } from '@tidings/common/kafka/wire/topic-differences';
import { repairTopics } from '@tidings/common/kafka/wire/topic-repair';
import { Watermarks } from '@tidings/common/kafka/offsets/watermarks';
import { Readiness } from '@tidings/common/runtime/health';
import { type Servers, startServers } from '../../tools/stack/servers';
import { eventually } from '../support/eventually';
import { testTopic } from '../support/kafka-topic';

let servers: Servers;
let kafka: KafkaClient;

beforeAll(async () => {
  servers = await startServers({ kafka: true });
  kafka = createKafka({ brokers: [servers.brokers], clientId: 'test' });
}, 240_000);

afterAll(() => servers?.stop());

describe('topics', () => {
  it('are created once with their settings, also by several at the same time', async () => {
    const specs = [
      testTopic('created', 3, { 'retention.ms': '12345' }),
      testTopic('created-too', 1),
    ];
    await Promise.all([ensureTopics(kafka, specs), ensureTopics(kafka, specs)]);
    await ensureTopics(kafka, specs);
    await checkTopics(kafka, specs);
    const admin = kafka.instance().admin();
    await admin.connect();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: 'created', configNames: ['retention.ms'] }],
    });
    await admin.disconnect();
    expect(resources[0]!.configEntries[0]).toMatchObject({ configValue: '12345' });
  });

  it('are compared with what is expected of them, and left as they are', async () => {
    const config = { 'retention.ms': '12345', 'min.insync.replicas': '1' };
    const made = testTopic('compared', 2, config);
    await ensureTopics(kafka, [made]);
    expect(await topicDifferences(kafka, [made])).toEqual([]);
    const wanted = { ...made.config, 'retention.ms': '99', 'segment.ms': '3600000' };
    const other = { ...made, partitions: 3, replication: 2, config: wanted };
    const expected = [
      { topic: 'compared', what: 'partitions', expected: '3', found: '2' },
      { topic: 'compared', what: 'replication', expected: '2', found: '1' },
      { topic: 'compared', what: 'retention.ms', expected: '99', found: '12345' },
      // Kafka's default
      { topic: 'compared', what: 'segment.ms', expected: '3600000', found: '604800000' },
      { topic: 'nowhere', what: 'topic', expected: 'exists', found: null },
    ];
    for (let twice = 0; twice < 2; twice++) {
      expect(await topicDifferences(kafka, [other, testTopic('nowhere', 1)])).toEqual(expected);
    }
  });

  it('are set as expected where that is wanted; what somebody else has set for them stays', async () => {
    const made = testTopic('repaired', 2, { 'retention.ms': '1', 'max.message.bytes': '4321' });
    await ensureTopics(kafka, [made]);
    const config = { 'retention.ms': '99', 'segment.ms': '3600000' };
    const wanted = [{ ...made, replication: 2, config }];
    const found = await topicDifferences(kafka, wanted);
    const settings = found.filter(({ what }) => what !== 'replication');
    expect(await repairTopics(kafka, wanted, found)).toEqual(settings);
    // brokers hear of it a moment later
    await eventually(async () => {
      const left = await topicDifferences(kafka, [
        { ...made, config: { ...made.config, ...config } },
      ]);
      expect(left).toEqual([]);
    });
    expect(await repairTopics(kafka, wanted, [])).toEqual([]);
  });

  it('with another partition count are refused, and left as they are', async () => {
    await ensureTopics(kafka, [testTopic('fixed', 3)]);
    for (const check of [ensureTopics, checkTopics]) {
      const refused = check(kafka, [testTopic('fixed', 4)]);
      await expect(refused).rejects.toThrow(TopicMismatchError);
      await expect(check(kafka, [testTopic('fixed', 4)])).rejects.toThrow(
        'topic fixed has 3 partitions, but 4 are configured',
      );
    }
    await checkTopics(kafka, [testTopic('fixed', 3)]);
  });

  it('that are missing are waited for, then reported', async () => {
    const spec = testTopic('missing', 1);
    await expect(checkTopics(kafka, [spec], { timeoutMs: 300 })).rejects.toThrow(
      'topic missing does not exist',
    );
    const check = checkTopics(kafka, [spec], { timeoutMs: 20_000 });
    await ensureTopics(kafka, [spec]);
    await check;
  });

  it('cannot be checked when no broker answers, which takes bounded time', async () => {
    const nowhere = createKafka({ brokers: ['127.0.0.1:1'], clientId: 'test' });
    await expect(checkTopics(nowhere, [testTopic('fixed', 3)], { timeoutMs: 500 })).rejects.toThrow(
      'ECONNREFUSED',
    );
  });

  it('are waited for by services for as long as no broker answers, which they say once', async () => {
    const lines: string[] = [];
    const readiness = new Readiness({
      warn: (_about: object, line: string) => void lines.push(line),
    });
    const specs = [testTopic('awaited', 1)];
    await ensureTopics(kafka, specs);
    const awaiting = readiness.awaiting('kafka');
    const options = { timeoutMs: 100, waitUntil: new AbortController().signal, awaiting };
    await checkTopics(kafka, specs, options);
    expect(lines).toEqual([]);

    await servers.kafka.kill();
    let done = false;
    const waiting = checkTopics(kafka, specs, { ...options, timeoutMs: 10_000 }).then(
      () => (done = true),
    );
    const stopped = new AbortController();
    const other = checkTopics(kafka, specs, { timeoutMs: 100, waitUntil: stopped.signal });
    await eventually(() => expect(readiness.problems()['kafka']).toMatch(/no broker/));
    // far beyond what the time allows for topics
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    stopped.abort();
    await expect(other).rejects.toThrow('stopped while waiting for Kafka');
    expect(done).toBe(false);
    await servers.kafka.restart();
    await waiting;
    const said = ['waiting for kafka: no broker of Kafka answers', 'kafka is there'];
    expect([lines.at(0), lines.at(-1)]).toEqual(said);
    expect(readiness.problems()).not.toHaveProperty('kafka');
  });
});

describe('offsets', () => {
  const topic = 'offsets';
  let offsets: LogOffsets;
  let times: number[];

  beforeAll(async () => {
    offsets = new LogOffsets(kafka);
    await ensureTopics(kafka, [testTopic(topic, 2, { 'message.timestamp.type': 'LogAppendTime' })]);
    const writer = new LogWriter({ kafka, topic, partitions: 2, source: 'n', epoch: 1 });
    await writer.start();
    times = [];
    for (let n = 0; n < 3; n++) {
      const record = { key: 'a', type: 't', id: `${n}`, time: 't', value: '{}' };
      times.push(
        await new Promise<number>((resolve, reject) => {
          writer.append(record, (result) => (result.ok ? resolve(result.timestamp) : reject()));
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await writer.stop({ flushMs: 1_000 });
  });

  afterAll(() => offsets.close());

  it('bounds every partition', async () => {
    const bounds = await offsets.logBounds(topic);
    expect(bounds.map(({ high }) => high).sort()).toEqual([0n, 3n]);
    expect(bounds.every(({ low }) => low === 0n)).toBe(true);
  });

  it('finds the first record at or after a time, else the end', async () => {
    const sorted = async (time: number) => (await offsets.offsetsAtTime(topic, time)).sort();
    expect(await sorted(times[1]!)).toEqual([0n, 1n]);
    expect(await sorted(times[1]! + 1)).toEqual([0n, 2n]);
    expect(await sorted(times[2]! + 1)).toEqual([0n, 3n]);
    expect(await sorted(0)).toEqual([0n, 0n]);
  });

  it('of a group that never committed are null', async () => {
    expect(await offsets.fetchGroupOffsets('nobody', topic)).toEqual([null, null]);
  });

  it('the read barrier is the next offset', async () => {
    const watermarks = new Watermarks(kafka, topic);
    await watermarks.start();
    expect((await watermarks.barrier()).sort()).toEqual([0n, 3n]);
    watermarks.stop();
  });
});
