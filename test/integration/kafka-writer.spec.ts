import { type KafkaClient, createKafka } from '@tidings/common/kafka/wire/client';
import { type AppendResult, LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { ensureTopics } from '@tidings/common/kafka/wire/topics';
import { type Servers, startServers } from '../../tools/stack/servers';
import { eventually } from '../support/eventually';
import { readTopic, testTopic } from '../support/kafka-topic';
import { TcpProxy } from '../support/tcp-proxy';

const PARTITIONS = 8;

let servers: Servers;
let proxy: TcpProxy;
let direct: KafkaClient;
let writer: LogWriter | undefined;

beforeAll(async () => {
  servers = await startServers({ kafka: true });
  proxy = await TcpProxy.start({ target: { port: servers.kafka.port }, seed: 42 });
  direct = createKafka({ brokers: [servers.brokers], clientId: 'test-direct' });
}, 240_000);

afterEach(async () => {
  proxy.heal();
  await writer?.stop({ flushMs: 0 });
  writer = undefined;
});

afterAll(async () => {
  await proxy?.stop();
  await servers?.stop();
});

/** A writer whose connections all go through the proxy. */
async function startWriter(
  topic: string,
  hooks: { onStalled?: (p: number) => void; onResumed?: (p: number) => void } = {},
): Promise<LogWriter> {
  await ensureTopics(direct, [testTopic(topic, PARTITIONS)]);
  const kafka = createKafka({
    brokers: [servers.brokers],
    clientId: 'test-writer',
    dial: () => ({ host: '127.0.0.1', port: proxy.port }),
  });
  writer = new LogWriter({
    kafka,
    topic,
    partitions: PARTITIONS,
    source: 'node-1',
    epoch: 3,
    ...hooks,
  });
  await writer.start();
  return writer;
}

interface Sent {
  id: string;
  key: string;
  result: AppendResult;
}

function append(to: LogWriter, n: number): Promise<Sent> {
  const [id, key] = [`id-${n}`, `conversation-${n % 64}`];
  const record = { key, id, type: 'test', time: new Date().toISOString(), value: `{"n":${n}}` };
  return new Promise((resolve, reject) => {
    const taken = to.append(record, (result) => resolve({ id, key, result }));
    if (!taken) reject(new Error('busy'));
  });
}

/** Appends records `from`..`to`, up to `inFlight` at a time. */
async function appendAll(to: LogWriter, from: number, end: number, inFlight = 50): Promise<Sent[]> {
  const sent: Sent[] = [];
  let next = from;
  const worker = async () => {
    while (next < end) sent.push(await append(to, next++));
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return sent;
}

/** Every answer true, nothing lost, second copies marked, order kept; returns the copies in the log. */
async function audit(topic: string, sent: Sent[]): Promise<number> {
  const log = await readTopic(direct, topic);
  const byId = new Map<string, { offset: bigint; again: boolean; partition: number }[]>();
  for (const { id, offset, again, partition } of log.flat()) {
    byId.set(id, [...(byId.get(id) ?? []), { offset, again, partition }]);
  }
  for (const { id, result } of sent) {
    if (!result.ok) throw new Error(`${id}: ${result.reason}`);
    const copies = byId.get(id) ?? [];
    expect(copies.map((copy) => copy.offset)).toContain(result.offset);
    expect(copies.every((copy) => copy.partition === result.partition)).toBe(true);
    expect(result.again || copies[0]!.offset === result.offset).toBe(true);
    expect(copies.slice(1).every((copy) => copy.again)).toBe(true);
  }
  expect(byId.size).toBe(sent.length);
  return log.flat().length;
}

it('appends 20 000 records through a network that cuts 2 % of the answers', async () => {
  const w = await startWriter('cuts');
  proxy.cuts.afterRequest = 0.02;
  const sent = await appendAll(w, 0, 20_000, 16);
  expect(proxy.cutCount).toBeGreaterThan(10);
  const copies = await audit('cuts', sent);
  expect(copies).toBeGreaterThan(20_000);
});

it('keeps the order of each key when requests and answers are cut', async () => {
  const w = await startWriter('order');
  proxy.cuts.afterRequest = 0.03;
  proxy.cuts.beforeRequest = 0.03;
  const answers: Promise<Sent>[] = [];
  for (let n = 0; n < 5_000; n++) {
    answers.push(append(w, n));
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await audit('order', await Promise.all(answers));
  for (const partition of await readTopic(direct, 'order')) {
    const firsts = new Set(partition.map((record) => record.id));
    const order = [...firsts].map((id) => Number(id.slice(3)));
    expect(order).toEqual([...order].sort((a, b) => a - b));
  }
});

it('stalls, then goes on by itself when the network is held up', async () => {
  const events: string[] = [];
  const w = await startWriter('held', {
    onStalled: () => events.push('stalled'),
    onResumed: () => events.push('resumed'),
  });
  const before = await append(w, 0);
  proxy.toClient.blackhole = true;
  const waiting = append(w, 1);
  await eventually(() => expect(events).toEqual(['stalled']));
  proxy.heal();
  const sent = [before, await waiting, await append(w, 2)];
  expect(events).toEqual(['stalled', 'resumed']);
  await audit('held', sent);
});

it('goes on by itself after a restart of the broker, and after a kill', async () => {
  const w = await startWriter('restart');
  const sent = await appendAll(w, 0, 500);
  await servers.kafka.stop();
  const duringStop = appendAll(w, 500, 600);
  await servers.kafka.restart();
  sent.push(...(await duringStop));
  await servers.kafka.kill();
  const duringKill = appendAll(w, 600, 700);
  await servers.kafka.restart();
  sent.push(...(await duringKill), ...(await appendAll(w, 700, 900)));
  await audit('restart', sent);
});
