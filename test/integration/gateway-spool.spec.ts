import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaClient, createKafka } from '@tidings/common/kafka/wire/client';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { ensureTopics } from '@tidings/common/kafka/wire/topics';
import { createLogger } from '@tidings/common/runtime/logger';
import { messageRecord } from '@tidings/common/log-records/message-record';
import { DrainJudge } from '../../apps/gateway/src/spool/drain-judge';
import { Drainer } from '../../apps/gateway/src/spool/drainer';
import { HoldingWriter } from '../../apps/gateway/src/spool/holding-writer';
import type { SendResult } from '../../apps/gateway/src/spool/spool-lane';
import { SpoolDrain } from '../../apps/gateway/src/spool/spool-drain';
import { lockDataDir } from '../../apps/gateway/src/spool/spool-place';
import { SpoolRoot } from '../../apps/gateway/src/spool/spool-root';
import { SpoolStore, type LockedDir } from '../../apps/gateway/src/spool/spool-store';
import { type Servers, startServers } from '../../tools/stack/servers';
import { eventually } from '../support/eventually';
import { readTopic, testTopic } from '../support/kafka-topic';

const PARTITIONS = 4;
const USER = '01890a5d-ac96-774b-bcce-b302099a8001';
const logger = createLogger({ service: 'test', nodeId: 'test', level: 'silent' });

let servers: Servers;
let kafka: KafkaClient;
let root: string;
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  servers = await startServers({ kafka: true });
  kafka = createKafka({ brokers: [servers.brokers], clientId: 'test-spool' });
  root = mkdtempSync(join(tmpdir(), 'tidings-spool-'));
}, 240_000);

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

afterAll(async () => {
  await servers?.stop();
  rmSync(root, { recursive: true, force: true });
});

/** The sending side of a gateway over a directory: everybody is a member, storage knows nothing. */
async function startNode(topic: string, dataDir: string, maxBytes = 1e9) {
  return startNodeAt(topic, await lockDataDir(dataDir), maxBytes);
}

async function startNodeAt(topic: string, place: LockedDir, maxBytes = 1e9) {
  await ensureTopics(kafka, [testTopic(topic, PARTITIONS)]);
  const found: string[] = [];
  const store = await SpoolStore.open({
    ...place,
    partitions: PARTITIONS,
    maxBytes,
    logger,
    found: (_partition, _sequence, record) => found.push(record.id),
    lost: () => undefined,
  });
  const drained: string[] = [];
  const drainer = makeDrainer((ids) => drained.push(...ids));
  const writer: LogWriter = new LogWriter({
    kafka,
    topic,
    partitions: PARTITIONS,
    source: 'node',
    epoch: 1,
    onStalled: (partition) => holding.stalled(partition),
  });
  const clock = () => performance.now();
  const wallClock = () => Date.now();
  const holding = new HoldingWriter({ writer, store, drainer, logger, clock, wallClock });
  await writer.start();
  holding.start();
  let ended: Promise<void> | null = null;
  const end = () => (ended ??= holding.stop({ flushMs: 0 }).then(() => store.close()));
  ends.push(end);
  const results = new Map<number, SendResult>();
  const send = (n: number, expiresAt?: string) =>
    holding.append(recordOf(n, expiresAt), (result) => results.set(n, result)) ||
    results.set(n, BUSY);
  return { store, holding, found, drained, results, send, end };
}

/** Judges that everything may be sent, and tells what was. */
function makeDrainer(told: (messageIds: string[]) => void): Drainer {
  return new Drainer({
    judge: new DrainJudge({
      membership: {
        maySend: () => true,
        requireSender: () => Promise.resolve({ ttlSeconds: null }),
      },
      firsts: {
        lookUp: () => Promise.resolve(null),
        lookUpBelow: () => Promise.resolve(null),
      },
      disabled: () => Promise.resolve(new Set()),
      logEnd: () => Promise.resolve(null),
      wallClock: () => Date.now(),
    }),
    answers: {
      drained: (all) => told(all.map(({ message }) => message.messageId)),
      known: () => undefined,
      refused: () => undefined,
    },
    logger,
  });
}

const BUSY: SendResult = { ok: false, reason: 'stopped' };

const idOf = (n: number) => `01890a5d-ac96-774b-bcce-${String(n).padStart(12, '0')}`;

function recordOf(n: number, expiresAt?: string) {
  return messageRecord({
    expiresAt,
    conversationId: `conversation-${n % 16}`,
    messageId: idOf(n),
    senderId: USER,
    deviceId: USER,
    content: { kind: 'text', text: `text ${n}` },
    contentHash: String(n).padStart(22, 'h'),
    extras: null,
    sentAt: new Date().toISOString(),
  });
}

const outcome = (result: SendResult | undefined) => result && (result.ok ? 'ok' : result.reason);

/** Every conversation has its messages in the order of sending, second copies are marked. */
async function firstsInOrder(topic: string): Promise<string[]> {
  const firsts: string[] = [];
  for (const partition of await readTopic(kafka, topic)) {
    const seen = new Set<string>();
    for (const { id, again } of partition) {
      expect(!seen.has(id) || again).toBe(true);
      seen.add(id);
    }
    for (let c = 0; c < 16; c++) {
      const numbers = [...seen].map((id) => Number(id.slice(-12))).filter((n) => n % 16 === c);
      expect(numbers).toEqual([...numbers].sort((x, y) => x - y));
    }
    firsts.push(...seen);
  }
  return firsts.sort();
}

it('holds what a stopped broker does not take, and drains in order when it is back', async () => {
  const node = await startNode('spool-stop', join(root, 'stop'));
  const { send, results, store, drained } = node;
  let n = 0;
  for (; n < 100; n++) send(n);
  await eventually(() => expect(results.size).toBe(100));
  const going = setInterval(() => send(n++), 5);
  try {
    await servers.kafka.stop();
    await eventually(() => expect(store.entries).toBeGreaterThan(400), 20_000);
    await servers.kafka.restart();
    await eventually(() => expect(store.entries).toBe(0), 30_000);
  } finally {
    clearInterval(going);
  }
  await eventually(() => expect(results.size).toBe(n));
  const outcomes = Array.from({ length: n }, (_, i) => outcome(results.get(i)));
  expect(new Set(outcomes)).toEqual(new Set(['ok', 'held']));
  const held = outcomes.flatMap((one, i) => (one === 'held' ? [idOf(i)] : []));
  await eventually(() => expect([...drained].sort()).toEqual(held));
  const all = Array.from({ length: n }, (_, i) => idOf(i));
  expect(await firstsInOrder('spool-stop')).toEqual(all);
  expect(store.bytes).toBe(0);
});

it('a process that is killed while it holds leaves all of it to the next one', async () => {
  const [before, after] = [join(root, 'killed'), join(root, 'restarted')];
  const node = await startNode('spool-kill', before);
  await servers.kafka.stop();
  for (let n = 0; n < 300; n++) node.send(n);
  await eventually(() => expect(node.store.entries).toBe(300), 20_000);
  // the disk as a kill would leave it; the first node goes on and sends everything as well
  cpSync(join(before, 'spool'), join(after, 'spool'), { recursive: true });
  rmSync(join(after, 'spool', 'lock'));
  await servers.kafka.restart();
  const next = await startNode('spool-kill', after);
  expect(next.found).toHaveLength(300);
  await eventually(() => expect(next.store.entries + node.store.entries).toBe(0), 30_000);
  const all = Array.from({ length: 300 }, (_, i) => idOf(i));
  expect(await firstsInOrder('spool-kill')).toEqual(all);
});

it('keeps the order of sending when another gateway gave the same messages other ends', async () => {
  const [topic, elsewhere] = ['spool-ends', join(root, 'elsewhere')];
  const [one, other] = [
    await startNode(topic, join(root, 'ends')),
    await startNode(topic, elsewhere),
  ];
  await servers.kafka.stop();
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  // the life of the older one is over here, and not there
  one.send(0, new Date(Date.now() - 1).toISOString());
  other.send(0, inAnHour);
  for (const node of [one, other]) {
    node.send(16, inAnHour);
    await eventually(() => expect(node.results.size).toBe(2), 20_000);
  }
  await other.end();
  await servers.kafka.restart();
  await eventually(() => expect(one.store.entries).toBe(0), 30_000);
  const back = await startNode(topic, elsewhere);
  await eventually(() => expect(back.store.entries).toBe(0), 30_000);
  expect(await firstsInOrder(topic)).toEqual([0, 16].map(idOf));
});

it('loses and reorders nothing when the broker hangs, and may have taken what was out', async () => {
  const node = await startNode('spool-hang', join(root, 'hang'));
  const { send, results, store } = node;
  let n = 0;
  const going = setInterval(() => send(n++), 5);
  try {
    await eventually(() => expect(results.size).toBeGreaterThan(50));
    servers.kafka.signal('SIGSTOP');
    await eventually(() => expect(store.entries).toBeGreaterThan(800), 20_000);
    servers.kafka.signal('SIGCONT');
    await eventually(() => expect(store.entries).toBe(0), 30_000);
  } finally {
    clearInterval(going);
    servers.kafka.signal('SIGCONT');
  }
  await eventually(() => expect(results.size).toBe(n));
  const outcomes = new Set([...results.values()].map(outcome));
  expect(outcomes).toEqual(new Set(['ok', 'held']));
  expect(await firstsInOrder('spool-hang')).toEqual(Array.from({ length: n }, (_, i) => idOf(i)));
});

it('is full at its limit, and refuses from then on without overtaking', async () => {
  const node = await startNode('spool-full', join(root, 'full'), 40_000);
  await servers.kafka.stop();
  for (let n = 0; n < 200; n++) node.send(n);
  await eventually(() => expect(node.results.size).toBe(200), 20_000);
  const outcomes = Array.from({ length: 200 }, (_, i) => outcome(node.results.get(i)));
  expect(new Set(outcomes)).toEqual(new Set(['held', 'full']));
  expect(node.store.bytes).toBeLessThanOrEqual(40_000);
  for (let c = 0; c < 16; c++) {
    const own = outcomes.filter((_, n) => n % 16 === c);
    expect(own).toEqual([...own].sort().reverse());
  }
  await servers.kafka.restart();
  await eventually(() => expect(node.store.entries).toBe(0), 30_000);
  const held = outcomes.flatMap((one, n) => (one === 'held' ? [idOf(n)] : []));
  expect(await firstsInOrder('spool-full')).toEqual(held);
});

it('is emptied by another gateway to the end, though the broker hangs in the middle and its owner goes on', async () => {
  const [topic, spools] = ['spool-adopted', join(root, 'spools')];
  const place = await new SpoolRoot(spools, 'gateway-1', join(root, 'none')).own();
  const owner = await startNodeAt(topic, place);
  await servers.kafka.stop();
  for (let n = 0; n < 3_000; n++) owner.send(n);
  await eventually(() => expect(owner.store.entries).toBe(3_000), 30_000);
  // it is hung for all that others can see, and in truth awake: it sends what it can as well
  const other = new SpoolRoot(spools, 'gateway-2', join(root, 'none'));
  const taken = (await other.adopt((await other.list())[0]!))!;
  const none = () => undefined;
  const options = { partitions: PARTITIONS, maxBytes: 1e9, logger, found: none, lost: none };
  const store = await SpoolStore.open({ ...options, ...taken });
  expect(store.entries).toBe(3_000);
  let drained = 0;
  let stalls = 0;
  const drainer = makeDrainer((ids) => {
    if (drained === 0) servers.kafka.signal('SIGSTOP');
    drained += ids.length;
  });
  const writer: LogWriter = new LogWriter({
    kafka,
    topic,
    partitions: PARTITIONS,
    source: 'adopter',
    epoch: 1,
    onStalled: (partition) => {
      stalls += 1;
      drain.stalled(partition);
    },
  });
  const drain: SpoolDrain = new SpoolDrain({
    writer,
    store,
    drainer,
    logger,
    wallClock: () => Date.now(),
  });
  ends.push(async () => {
    const stopped = drain.stop();
    await writer.stop({ flushMs: 0 });
    await stopped;
    await store.close();
  });
  await servers.kafka.restart();
  await writer.start();
  drain.start();
  try {
    // it hangs from the first answer on, and the writer gives back what is out
    await eventually(() => expect(stalls).toBeGreaterThan(0), 30_000);
  } finally {
    servers.kafka.signal('SIGCONT');
  }
  expect(drained).toBeLessThan(3_000);
  await drain.ended;
  expect([store.entries, store.bytes]).toEqual([0, 0]);
  expect(await firstsInOrder(topic)).toEqual(Array.from({ length: 3_000 }, (_, i) => idOf(i)));
  owner.send(3_000);
  await eventually(() => expect(outcome(owner.results.get(3_000))).toBe('not_stored'), 10_000);
});
