import { eventually } from '../../../../../test/support/eventually';
import { FakeKafka } from '../../../../../test/support/fake-kafka';
import { seededRandom } from '../../../../../test/support/tcp-proxy';
import { createKafka } from '../wire/client';
import { type AppendResult, LogWriter, type LogWriterOptions } from './log-writer';
import { partitionOf } from './partitioner';

const TOPIC = 'log';
const PARTITIONS = 4;

let kafka: FakeKafka;
const writers: LogWriter[] = [];

afterEach(async () => {
  await Promise.all(writers.splice(0).map((writer) => writer.stop({ flushMs: 0 })));
  await kafka.stop();
});

async function writerTo(options: Partial<LogWriterOptions> = {}): Promise<LogWriter> {
  const writer = new LogWriter({
    kafka: createKafka({ brokers: kafka.brokers, clientId: 'spec' }),
    topic: TOPIC,
    partitions: PARTITIONS,
    source: 'node-1',
    epoch: 1,
    ...options,
    limits: { backoffBase: 2, backoffMax: 50, requestTimeout: 400, ...options.limits },
  });
  writers.push(writer);
  await writer.start();
  return writer;
}

/** A key of each partition. */
const KEYS = Array.from({ length: PARTITIONS }, (_, partition) => {
  let n = 0;
  while (partitionOf(`key-${n}`, PARTITIONS) !== partition) n++;
  return `key-${n}`;
});

interface Answered {
  id: string;
  result: AppendResult;
}

function append(writer: LogWriter, id: string, partition: number, value = '{}'): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const record = { key: KEYS[partition]!, type: 't', id, time: '2026-01-01T00:00:00Z', value };
    if (!writer.append(record, (result) => resolve({ id, result }))) reject(new Error('busy'));
  });
}

/** Appends `perPartition` records to every partition, in batches of a turn each. */
async function appendMany(writer: LogWriter, perPartition: number): Promise<Answered[]> {
  const answers: Promise<Answered>[] = [];
  for (let n = 0; n < perPartition; n++) {
    for (let p = 0; p < PARTITIONS; p++) answers.push(append(writer, `${p}-${n}`, p));
    if (n % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return Promise.all(answers);
}

/** The writer's whole promise, checked against the logs. */
function expectTrue(answers: Answered[]): void {
  for (const { id, result } of answers) {
    if (!result.ok) throw new Error(`${id} failed: ${result.reason}`);
    const log = kafka.logs[result.partition]!;
    expect(log[Number(result.offset)]?.headers.ce_id).toBe(id);
    const first = log.findIndex((record) => record.headers.ce_id === id);
    expect(result.again || first === Number(result.offset)).toBe(true);
  }
  for (const log of kafka.logs) {
    const firsts: string[] = [];
    for (const { headers } of log) {
      if (!firsts.includes(headers.ce_id!)) firsts.push(headers.ce_id!);
      else expect(headers.again).toBe('1');
    }
    const order = firsts.map((id) => Number(id.split('-')[1]));
    expect(order).toEqual([...order].sort((a, b) => a - b));
  }
}

describe('without faults', () => {
  it('appends everything once, with true offsets and all headers', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo();
    const answers = await appendMany(writer, 50);
    expectTrue(answers);
    expect(kafka.logs.map((log) => log.length)).toEqual([50, 50, 50, 50]);
    expect(answers.every(({ result }) => result.ok && !result.again)).toBe(true);
    expect(kafka.logs[0]![0]).toEqual({
      key: KEYS[0],
      value: '{}',
      headers: {
        ce_specversion: '1.0',
        'content-type': 'application/json',
        ce_source: 'node-1',
        epoch: '1',
        ce_type: 't',
        ce_id: '0-0',
        ce_time: '2026-01-01T00:00:00Z',
      },
    });
    expect(kafka.requests.every((request) => request.acks === -1)).toBe(true);
  });

  it('has one request out and batches what queues meanwhile', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    kafka.latencyMs = 20;
    const writer = await writerTo();
    const answers = await appendMany(writer, 100);
    expectTrue(answers);
    expect(kafka.requests.length).toBeLessThan(10);
  });

  it('with a linger lets others join the first, but not at the stop', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo({ limits: { linger: 100 } });
    const began = performance.now();
    const early = append(writer, '0-0', 0);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expectTrue(await Promise.all([early, append(writer, '0-1', 0), append(writer, '1-2', 1)]));
    expect(performance.now() - began).toBeGreaterThan(95);
    expect(kafka.requests).toHaveLength(1);
    const slow = await writerTo({ limits: { linger: 60_000 } });
    const last = append(slow, '0-3', 0);
    await slow.stop({ flushMs: 5_000 });
    expect((await last).result.ok).toBe(true);
  });

  it('calls back in the order of the partition', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo();
    const order: string[] = [];
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        append(writer, `0-${n}`, 0).then(({ id }) => order.push(id)),
      ),
    );
    expect(order).toEqual(Array.from({ length: 30 }, (_, n) => `0-${n}`));
  });
});

describe('with faults', () => {
  it('survives a leader move in mid-batch', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS, nodes: 2 });
    const writer = await writerTo();
    let moves = 0;
    kafka.beforePartition = (request, partition) => {
      if (request.number % 4 !== 0 || request.partitions.length < 2 || moves > 20) return;
      moves++;
      kafka.leaders[partition] = 1 - kafka.leaders[partition]!;
    };
    expectTrue(await appendMany(writer, 200));
    expect(moves).toBeGreaterThan(0);
  });

  it('keeps the answers of the healthy partitions of a rejected batch', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo();
    kafka.fate = ({ number }) => (number === 1 ? { partitions: { 2: 19 } } : 'answer');
    const answers = await appendMany(writer, 20);
    expectTrue(answers);
    const again = answers.filter(({ result }) => result.ok && result.again);
    expect(new Set(again.map(({ id }) => id[0]))).toEqual(new Set(['2']));
  });

  it.each(['appendAndCut', 'cut', 'appendAndHang'] as const)(
    'appends again, marked, after: %s',
    async (fate) => {
      kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
      const failures: boolean[] = [];
      const writer = await writerTo({ onFailure: ({ unknown }) => failures.push(unknown) });
      kafka.fate = ({ number }) => (number === 3 || number === 9 ? fate : 'answer');
      const answers = await appendMany(writer, 100);
      expectTrue(answers);
      expect(answers.some(({ result }) => result.ok && result.again)).toBe(true);
      expect(failures.length).toBeGreaterThan(0);
      expect(failures.every((unknown) => unknown)).toBe(true);
    },
  );

  it('takes a partition that the answer leaves out for unknown', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo();
    kafka.fate = ({ number }) => (number <= 3 ? { partitions: { 1: 'omit' } } : 'answer');
    const answers = await appendMany(writer, 20);
    expectTrue(answers);
    expect(answers.some(({ id, result }) => id[0] === '1' && result.ok && result.again)).toBe(true);
  });

  it('survives a long run of random faults on two brokers', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS, nodes: 2 });
    const writer = await writerTo();
    const random = seededRandom(7);
    kafka.fate = () => {
      const dice = random();
      if (dice < 0.03) return 'appendAndCut';
      if (dice < 0.05) return 'cut';
      if (dice < 0.08) return { partitions: { [Math.floor(random() * PARTITIONS)]: 'omit' } };
      return dice < 0.1 ? { partitions: { [Math.floor(random() * PARTITIONS)]: 7 } } : 'answer';
    };
    kafka.beforePartition = (_, partition) => {
      if (random() < 0.02) kafka.leaders[partition] = 1 - kafka.leaders[partition]!;
    };
    const answers = await appendMany(writer, 1_000);
    expectTrue(answers);
    expect(kafka.logs.flat().length).toBeGreaterThan(4_000);
  });

  it('lets a leaderless partition wait alone', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS, nodes: 2 });
    const writer = await writerTo();
    kafka.leaders[3] = -1;
    const stuck = append(writer, '3-0', 3);
    for (let n = 0; n < 50; n++) {
      const others = await Promise.all([0, 1, 2].map((p) => append(writer, `${p}-${n}`, p)));
      expectTrue(others);
    }
    expect(writer.partitionState(3).queued).toBe(1);
    kafka.leaders[3] = 1;
    expectTrue([await stuck]);
  });

  it('never sends an answerless partition together with others again', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo();
    kafka.fate = ({ partitions }) =>
      partitions.some(({ partition }) => partition === 0) ? { partitions: { 0: 19 } } : 'answer';
    const stuck = append(writer, '0-0', 0);
    for (let n = 0; n < 30; n++) await append(writer, `1-${n}`, 1);
    const withOthers = kafka.requests.filter(
      ({ partitions }) =>
        partitions.length > 1 && partitions.some(({ partition }) => partition === 0),
    );
    expect(withOthers.length).toBeLessThanOrEqual(1);
    const own = kafka.requests.filter(({ partitions }) => partitions[0]?.partition === 0);
    const other = kafka.requests.filter(({ partitions }) => partitions[0]?.partition === 1);
    expect(own.at(-1)!.connection).not.toBe(other.at(-1)!.connection);
    kafka.fate = () => 'answer';
    expectTrue([await stuck]);
  });

  it('recovers by itself when the brokers were away', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const events: string[] = [];
    const writer = await writerTo({
      limits: { stallAfter: 300 },
      onStalled: (partition) => events.push(`stalled ${partition}`),
      onResumed: (partition) => events.push(`resumed ${partition}`),
    });
    expectTrue(await appendMany(writer, 5));
    await kafka.kill(0);
    const waiting = append(writer, '0-5', 0);
    await eventually(() => expect(events).toEqual(['stalled 0']));
    expect(writer.partitionState(0)).toMatchObject({ queued: 1, stalled: true });
    await kafka.revive(0);
    expectTrue([await waiting]);
    expect(events).toEqual(['stalled 0', 'resumed 0']);
    expectTrue([await append(writer, '0-6', 0), await append(writer, '1-5', 1)]);
  });
});

describe('bounds', () => {
  it('fails a record that the broker finds too large, and only that one', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    kafka.maxBatchBytes = 20_000;
    const writer = await writerTo();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        append(writer, `0-${n}`, 0, n === 17 ? 'x'.repeat(30_000) : 'y'.repeat(1_000)),
      ),
    );
    expect(answers[17]!.result).toEqual({ ok: false, reason: 'too_large' });
    expectTrue(answers.filter((_, n) => n !== 17));
    expect(
      answers.filter((_, n) => n !== 17).every(({ result }) => result.ok && !result.again),
    ).toBe(true);
  });

  it('sets aside records that cannot be encoded, wherever they are, and appends the others', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const errors: unknown[] = [];
    const writer = await writerTo({ onError: (error) => errors.push(error) });
    /** A defect of a caller: the time is none. */
    const broken = (id: string, partition: number): Promise<AppendResult> =>
      new Promise((resolve) => {
        const record = { key: KEYS[partition]!, type: 't', id, time: null as never, value: '{}' };
        writer.append(record, resolve);
      });
    const answers: Promise<Answered>[] = [];
    const refusals: Promise<AppendResult>[] = [broken('0-0', 0)];
    for (let n = 1; n < 6; n++) {
      for (const p of [0, 2]) answers.push(append(writer, `${p}-${n}`, p));
      if (n === 3) refusals.push(broken('0-x', 0), broken('0-y', 0), broken('1-0', 1));
    }
    refusals.push(broken('2-9', 2));
    for (const result of await Promise.all(refusals)) {
      expect(result).toEqual({ ok: false, reason: 'unencodable' });
    }
    expectTrue(await Promise.all(answers));
    expect(kafka.logs.map((log) => log.length)).toEqual([5, 0, 5, 0]);
    expect(errors).toHaveLength(refusals.length);
    expect(writer.queued()).toBe(0);
    expect(writer.partitionState(0).queuedBytes).toBe(0);
    expectTrue([await append(writer, '1-1', 1)]);
  });

  it('fails a record above the batch size without sending it', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo({ limits: { batchBytes: 1_000 } });
    const { result } = await append(writer, '0-0', 0, 'x'.repeat(1_000));
    expect(result).toEqual({ ok: false, reason: 'too_large' });
    expect(kafka.requests).toEqual([]);
  });

  it('refuses when a partition has too many records or bytes waiting', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo({ limits: { queueRecords: 3, queueBytes: 5_000 } });
    kafka.leaders[0] = -1;
    kafka.leaders[1] = -1;
    const done = () => undefined;
    const offer = (key: string, value: string) =>
      writer.append({ key, type: 't', id: 'i', time: 'n', value }, done);
    const small = Array.from({ length: 5 }, () => offer(KEYS[0]!, '{}'));
    const large = Array.from({ length: 3 }, () => offer(KEYS[1]!, 'x'.repeat(2_000)));
    expect(small).toEqual([true, true, true, false, false]);
    expect(large).toEqual([true, true, false]);
    expect(offer(KEYS[2]!, '{}')).toBe(true);
    expect(writer.partitionState(0)).toMatchObject({ queued: 3 });
  });

  it('keeps batches within records and bytes', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo({ limits: { batchRecords: 10, batchBytes: 20_000 } });
    await Promise.all([
      ...Array.from({ length: 35 }, (_, n) => append(writer, `0-${n}`, 0)),
      ...Array.from({ length: 20 }, (_, n) => append(writer, `1-${n}`, 1, 'x'.repeat(5_000))),
    ]);
    const batches = kafka.requests.flatMap((request) => request.partitions);
    expect(Math.max(...batches.map(({ records }) => records.length))).toBe(10);
    expect(Math.max(...batches.map(({ bytes }) => bytes))).toBeLessThan(20_000);
  });
});

describe('handing over and stopping', () => {
  it('hands over what is out, marked, then the queue, in order', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo({ limits: { requestTimeout: 5_000 } });
    const done = jest.fn();
    const offer = (id: string) =>
      writer.append({ key: KEYS[0]!, type: 't', id, time: 'n', value: '{}' }, done);
    kafka.fate = () => 'appendAndHang';
    offer('0-0');
    offer('0-1');
    await eventually(() => expect(kafka.requests).toHaveLength(1));
    offer('0-2');
    const taken = writer.takeWaiting(0);
    expect(taken.map(({ record, again }) => [record.id, again])).toEqual([
      ['0-0', true],
      ['0-1', true],
      ['0-2', false],
    ]);
    expect(writer.partitionState(0)).toMatchObject({
      queued: 0,
      queuedBytes: 0,
      oldestWaitingMs: 0,
    });
    expect(done).not.toHaveBeenCalled();
  });

  it('marks what its caller marks', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo();
    const result = await new Promise<AppendResult>((resolve) => {
      const record = { key: KEYS[0]!, type: 't', id: '0-0', time: 'n', value: '{}' };
      writer.append({ ...record, headers: { traceparent: 'tp' } }, resolve, { again: true });
    });
    expect(result).toMatchObject({ ok: true, offset: 0n, again: true });
    expect(kafka.logs[0]![0]!.headers).toMatchObject({ again: '1', traceparent: 'tp' });
  });

  it('flushes at the stop', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    kafka.latencyMs = 10;
    const writer = await writerTo({ limits: { batchRecords: 3 } });
    const answers = Promise.all(Array.from({ length: 40 }, (_, n) => append(writer, `0-${n}`, 0)));
    await writer.stop({ flushMs: 5_000 });
    expectTrue(await answers);
    expect(writer.append({ key: 'k', type: 't', id: 'i', time: 'n', value: '' }, jest.fn())).toBe(
      false,
    );
  });

  it('answers everything when the stop cannot flush', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    const writer = await writerTo();
    kafka.fate = () => 'appendAndHang';
    const answers = Promise.all([append(writer, '0-0', 0), append(writer, '1-0', 1)]);
    await writer.stop({ flushMs: 50 });
    for (const { result } of await answers)
      expect(result).toEqual({ ok: false, reason: 'stopped' });
  });

  it('refuses to start on another partition count', async () => {
    kafka = await FakeKafka.start({ topic: TOPIC, partitions: PARTITIONS });
    await expect(writerTo({ partitions: 8 })).rejects.toThrow('has 4 partitions, 8 are configured');
  });
});
