import { deadLetterTopic } from '@tidings/common/log-events/topics';
import { DEAD_LETTER_HEADERS } from '@tidings/common/log-events/dead-letter';
import { ensureTopics } from '@tidings/common/kafka/wire/topics';
import { type Servers, startServers } from '../../tools/stack/servers';
import { Collector, ConsumerRig } from '../support/consumer-rig';
import { eventually } from '../support/eventually';
import { readTopic, testTopic } from '../support/kafka-topic';

const PARTITIONS = 4;

let servers: Servers;
let rig: ConsumerRig;

beforeAll(async () => {
  servers = await startServers({ kafka: true });
  rig = new ConsumerRig(servers.brokers, PARTITIONS);
}, 240_000);

afterEach(() => rig.closeConsumers());

afterAll(async () => {
  rig?.close();
  await servers?.stop();
});

/** Deletes the records of a partition before an offset, as retention does. */
async function deleteBefore(topic: string, partition: number, offset: bigint): Promise<void> {
  const admin = rig.kafka.instance().admin();
  await admin.connect();
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  await admin.disconnect();
}

const ids = (count: number) => Array.from({ length: count }, (_, n) => `${n}`).sort();

it('hands every record over once, in order, decoded, and commits behind it', async () => {
  const topic = 'plain';
  await rig.createTopic(topic);
  await rig.append(topic, 0, 500);
  const collector = new Collector();
  const strategy = await rig.start({ groupId: 'plain', handlers: { [topic]: collector } });
  await eventually(() => expect(collector.ids).toHaveLength(500));
  expect(strategy.isReady()).toBe(true);
  expect([...collector.ids].sort()).toEqual(ids(500));
  expect(collector.batches[0]!.records[0]).toMatchObject({ type: 'test', epoch: 1, source: 'n' });
  for (const { records, firstOffset, nextOffset } of collector.batches) {
    expect(records[0]!.offset).toBe(firstOffset);
    expect(nextOffset - firstOffset).toBe(BigInt(records.length));
  }
  await eventually(async () => expect(await rig.committed('plain', topic)).toBe(500n));
});

it('commits nothing before its handler has finished, and everything at the stop', async () => {
  const topic = 'commit';
  await rig.createTopic(topic);
  await rig.append(topic, 0, 100);
  let finish = () => {};
  const gate = new Promise<void>((resolve) => (finish = resolve));
  const collector = new Collector(() => gate.then(() => ({ done: true as const })));
  const strategy = await rig.start({
    groupId: 'commit',
    handlers: { [topic]: collector },
    commitInterval: 60_000,
  });
  await eventually(() => expect(collector.batches.length).toBeGreaterThan(0));
  expect(await rig.committed('commit', topic)).toBe(0n);
  const closing = strategy.close();
  finish();
  await closing;
  expect(await rig.committed('commit', topic)).toBe(BigInt(collector.ids.length));
  expect(collector.ids.length).toBeGreaterThan(0);
});

it('tries a batch again from where the handler says, and after an exception', async () => {
  const topic = 'retry';
  await rig.createTopic(topic);
  await rig.append(topic, 0, 200);
  const starts: string[] = [];
  let calls = 0;
  const collector = new Collector(({ partition, firstOffset, nextOffset }) => {
    starts.push(`${partition}:${firstOffset}`);
    calls++;
    if (calls === 1) throw new Error('handler fails');
    if (calls === 2) return { retryAfterMs: 20 };
    if (calls === 3 && nextOffset - firstOffset > 4n) {
      return { retryAfterMs: 20, from: firstOffset + 4n };
    }
    return { done: true };
  });
  const errors: unknown[] = [];
  await rig.start({
    groupId: 'retry',
    handlers: { [topic]: collector },
    partitionsConsumedConcurrently: 1,
    onError: (error) => errors.push(error),
  });
  await eventually(async () => expect(await rig.committed('retry', topic)).toBe(200n));
  expect(new Set(collector.ids).size).toBe(collector.ids.length);
  expect(collector.ids.length).toBe(196);
  expect(errors).toEqual([new Error('handler fails')]);
  expect(starts.length).toBeGreaterThan(PARTITIONS + 2);
});

it('goes on where the handler seeks', async () => {
  const topic = 'seek';
  await rig.createTopic(topic);
  await rig.append(topic, 0, 100);
  const bounds = await rig.offsets.logBounds(topic);
  const sought = new Set<number>();
  const collector = new Collector(({ partition }) => {
    if (sought.has(partition)) return { done: true };
    sought.add(partition);
    return { seek: bounds[partition]!.high - 1n };
  });
  await rig.start({ groupId: 'seek', handlers: { [topic]: collector } });
  await eventually(() => expect(collector.ids).toHaveLength(PARTITIONS));
});

it('loads state before the first batch and starts where it says', async () => {
  const topic = 'assigned';
  await rig.createTopic(topic);
  await rig.append(topic, 0, 100);
  const bounds = await rig.offsets.logBounds(topic);
  const loaded = new Map<number, { committed: bigint | null; low: bigint; high: bigint }>();
  const revoked: number[] = [];
  let failures = 2;
  const collector = new Collector(({ partition }) => {
    expect(loaded.has(partition)).toBe(true);
    return { done: true };
  });
  const strategy = await rig.start({
    groupId: 'assigned',
    handlers: { [topic]: collector },
    lifecycle: {
      assigned: async (_, partition, context) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (failures-- > 0) throw new Error('no state yet');
        loaded.set(partition, context);
        return { seek: context.high - 3n };
      },
      revoked: (_, partition) => void revoked.push(partition),
    },
  });
  await eventually(() => expect(collector.ids).toHaveLength(3 * PARTITIONS));
  expect(loaded.get(1)).toEqual({ committed: null, ...bounds[1] });
  await strategy.close();
  expect(revoked.sort()).toEqual([0, 1, 2, 3]);
});

it('commits at once what the store of the handler has already, so that it is no lag', async () => {
  const topic = 'ahead';
  await rig.createTopic(topic);
  await rig.append(topic, 0, 100);
  const collector = new Collector();
  const lifecycle = {
    assigned: (_: string, partition: number, { high }: { high: bigint }) =>
      Promise.resolve({ seek: partition === 0 ? 0n : high }),
  };
  await rig.start({ groupId: topic, handlers: { [topic]: collector }, lifecycle });
  await eventually(async () => expect(await rig.committed(topic, topic)).toBe(100n));
  expect(new Set(collector.batches.map(({ partition }) => partition))).toEqual(new Set([0]));
});

describe('when records are missing', () => {
  async function withHole(topic: string, onGap: 'stop' | 'skip') {
    await rig.createTopic(topic);
    await rig.append(topic, 0, 100);
    const collector = new Collector();
    const gaps: unknown[] = [];
    const options = {
      groupId: topic,
      handlers: { [topic]: collector },
      onGap,
      gapFound: (gap: { partition: number }) => gaps.push(gap),
    };
    const first = await rig.start(options);
    await eventually(async () => expect(await rig.committed(topic, topic)).toBe(100n));
    await first.close();
    await rig.append(topic, 100, 200);
    const { high } = (await rig.offsets.logBounds(topic))[0]!;
    await deleteBefore(topic, 0, high - 2n);
    const before = (await rig.offsets.fetchGroupOffsets(topic, topic))[0];
    const strategy = await rig.start(options);
    await eventually(() => expect(gaps).toHaveLength(1));
    return { collector, gaps, high, before, strategy };
  }

  it('stops that partition with an alarm and commits nothing there', async () => {
    const { collector, gaps, high, before } = await withHole('hole-stop', 'stop');
    expect(gaps).toEqual([
      { topic: 'hole-stop', partition: 0, expected: before, found: high - 2n, action: 'stop' },
    ]);
    await eventually(() => {
      const parts = new Set(collector.batches.slice(-3).map(({ partition }) => partition));
      expect(parts).toEqual(new Set([1, 2, 3]));
    });
    expect((await rig.offsets.fetchGroupOffsets('hole-stop', 'hole-stop'))[0]).toBe(before);
  });

  it('goes on at the start of the log, counted', async () => {
    const { gaps, high, before } = await withHole('hole-skip', 'skip');
    expect(gaps).toEqual([
      { topic: 'hole-skip', partition: 0, expected: before, found: high - 2n, action: 'skip' },
    ]);
    await eventually(async () => {
      expect((await rig.offsets.fetchGroupOffsets('hole-skip', 'hole-skip'))[0]).toBe(high);
    });
  });

  it('notices a hole that opens while it runs, without a commit by the client library', async () => {
    const topic = 'hole-live';
    await rig.createTopic(topic);
    await rig.append(topic, 0, 40);
    let open = () => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const gaps: { partition: number; expected: bigint; found: bigint }[] = [];
    const collector = new Collector(async () => {
      await gate;
      return { done: true };
    });
    await rig.start({
      groupId: topic,
      handlers: { [topic]: collector },
      gapFound: (gap) => gaps.push(gap),
    });
    await eventually(() => expect(collector.batches.length).toBeGreaterThan(0));
    const { partition, nextOffset } = collector.batches[0]!;
    await rig.append(topic, 40, 200);
    await deleteBefore(topic, partition, nextOffset + 5n);
    open();
    await eventually(() => expect(gaps).toHaveLength(1));
    expect(gaps[0]).toMatchObject({ partition, expected: nextOffset, found: nextOffset + 5n });
    await eventually(async () => {
      expect((await rig.offsets.fetchGroupOffsets(topic, topic))[partition]).toBe(nextOffset);
    });
  });
});

it('puts a dead letter with its origin and reason', async () => {
  const topic = 'letters';
  const dlq = deadLetterTopic(topic, topic);
  await ensureTopics(rig.kafka, [testTopic(topic, PARTITIONS), testTopic(dlq, 1)]);
  await rig.append(topic, 0, 1);
  const collector = new Collector(async ({ records }) => {
    await strategy.deadLetter(records[0]!, 'not applicable');
    return { done: true };
  });
  const strategy = await rig.start({ groupId: topic, handlers: { [topic]: collector } });
  await eventually(() => expect(collector.ids).toEqual(['0']));
  const letter = (await readTopic(rig.kafka, dlq))[0]![0]!;
  const { partition, records } = collector.batches[0]!;
  expect(letter).toMatchObject({ id: '0', key: 'key-0', value: Buffer.from('{"n":0}') });
  const headers = Object.entries(letter.headers ?? {}).map(([name, value]) => [
    name,
    String(value),
  ]);
  expect(Object.fromEntries(headers)).toMatchObject({
    [DEAD_LETTER_HEADERS.reason]: 'not applicable',
    [DEAD_LETTER_HEADERS.topic]: topic,
    [DEAD_LETTER_HEADERS.partition]: String(partition),
    [DEAD_LETTER_HEADERS.offset]: String(records[0]!.offset),
  });
});
