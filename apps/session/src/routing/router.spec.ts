import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import type { LogRecord } from '@tidings/common/log-events/record';
import { RedisUnavailable } from '@tidings/common/redis/client';
import { Metrics } from '@tidings/common/runtime/metrics';
import { pino } from 'pino';
import { changeAt, messageAt } from '../../test/entries';
import type { LogEntry } from '../domain/entry';
import { ConversationSource } from './conversation-source';
import { Deliveries } from './deliveries';
import { RecentIds } from '../domain/recent-ids';
import { Router } from './router';
import { RoutingMetrics } from './routing.metrics';

const EPOCH = 3;
const hash = 'x'.repeat(22);

function record(entry: LogEntry, changed: Partial<LogRecord> = {}): LogRecord {
  const value =
    entry.kind === 'message' ? { ...entry.event, contentHash: hash } : { ...entry.event };
  return {
    topic: TOPICS.messages,
    partition: 0,
    offset: entry.offset,
    key: entry.event.conversationId,
    type: entry.kind === 'message' ? EVENT_TYPES.messageSent : EVENT_TYPES.conversationChanged,
    id: entry.event.messageId,
    source: 'gateway-1',
    time: entry.event.sentAt,
    timestamp: entry.recordedAtMs,
    epoch: EPOCH,
    again: false,
    value: Buffer.from(JSON.stringify(value)),
    headers: {},
    ...changed,
  };
}

function batch(...records: LogRecord[]): LogBatch {
  return {
    topic: TOPICS.messages,
    partition: 0,
    records,
    firstOffset: records[0]!.offset,
    nextOffset: records.at(-1)!.offset + 1n,
    highWatermark: 1_000n,
    lag: 0n,
    revoked: () => false,
    heartbeat: () => Promise.resolve(),
  };
}

/** A router whose surroundings answer at once, and whose inboxes can be made to fail or hang. */
function setup() {
  const payloads: string[] = [];
  const deadLetters: string[] = [];
  const defects: bigint[] = [];
  const routed: { from: bigint; next: bigint }[] = [];
  const inboxes = {
    failing: false,
    hanging: null as Promise<void> | null,
    append: async (entries: readonly { payload: string | Buffer }[]) => {
      if (inboxes.failing) throw new RedisUnavailable('test');
      await inboxes.hanging;
      entries.forEach(({ payload }) => payloads.push(String(payload)));
      return entries.map(() => 'ok' as const);
    },
  };
  const lookup = async (userIds: readonly string[]) =>
    userIds.map((userId) => [
      {
        userId,
        deviceId: userId,
        gatewayId: 'g',
        bootId: 'b',
        connectionId: userId,
        generation: '1',
      },
    ]);
  const everyGateway = { list: async () => [{ gatewayId: 'g', bootId: 'b' }] };
  const storage = { call: () => Promise.reject(new Error('away')) };
  const copies = { find: async (ids: readonly string[]) => ids.map(() => null) };
  const hooks = { asked: () => undefined, failed: () => undefined };
  const router = new Router(
    { epoch: EPOCH, bases: [1_000n] },
    {
      conversations: new ConversationSource(storage, copies, hooks),
      deliveries: new Deliveries({ lookup }, inboxes, everyGateway, never),
      deadLetters: { put: async (_record, reason) => void deadLetters.push(reason) },
      windows: { of: async () => 0n },
      keeper: { fill: async () => 0, note: () => undefined },
      defects: { noteRecord: ({ offset }) => void defects.push(offset) },
      times: { note: (_partition, range) => void routed.push(range) },
      metrics: new RoutingMetrics(new Metrics({ service: 'session', node: 'test' })),
      logger: pino({ level: 'silent' }),
    },
  );
  const assign = (committed: bigint | null = null) =>
    router.assigned(0, { committed, low: 0n, high: 1_000n });
  /** `[position, previous]` of every frame that was handed on, in order. */
  const handed = () =>
    payloads
      .join('')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { position: string; previous: string | null })
      .map(({ position, previous }) => [position, previous]);
  return { router, inboxes, payloads, deadLetters, defects, routed, assign, handed };
}

function never(error: unknown): never {
  throw error;
}

const created = record(changeAt(0, { users: [1, 2] }));
const first = record(messageAt(1));
const second = record(messageAt(2));

describe('Router', () => {
  it('sets a record aside that routing throws over, once however often its batch comes', async () => {
    const { router, inboxes, deadLetters, defects, assign, handed } = setup();
    await assign();
    await router.handle(batch(created));
    const before = jest.spyOn(RecentIds.prototype, 'before');
    before.mockImplementation((_key, entry) => {
      if (entry.offset === 1n) throw new TypeError('a defect');
      return undefined;
    });
    try {
      inboxes.failing = true;
      await router.handle(batch(first, second));
      expect([deadLetters, defects]).toEqual([[], []]);
      inboxes.failing = false;
      await expect(router.handle(batch(first, second))).resolves.toEqual({ done: true });
    } finally {
      before.mockRestore();
    }
    expect(handed()).toEqual([
      ['1000', '0'],
      ['1002', '1001'],
    ]);
    expect(deadLetters).toEqual(['routing it threw: TypeError: a defect']);
    expect(defects).toEqual([1n]);
  });

  it('sets a record aside whose frame cannot be encoded, and hands on the others', async () => {
    const { router, deadLetters, defects, assign, handed } = setup();
    await assign();
    await router.handle(batch(created));
    const stringify = jest.spyOn(JSON, 'stringify');
    // every later frame of this test is a whole one again
    stringify.mockReturnValueOnce('{\n}');
    try {
      expect(await router.handle(batch(first, second))).toEqual({ done: true });
    } finally {
      stringify.mockRestore();
    }
    expect(defects).toEqual([1n]);
    expect(deadLetters).toEqual(['routing it threw: TypeError: a frame holds a raw newline']);
    expect(handed().at(-1)).toEqual(['1002', '1001']);
  });

  it('routes in order and hands on one entry per gateway', async () => {
    const { router, routed, assign, handed } = setup();
    await expect(assign()).resolves.toEqual({ seek: 0n });
    await expect(router.handle(batch(created, first))).resolves.toEqual({ done: true });
    await expect(router.handle(batch(second))).resolves.toEqual({ done: true });
    expect(handed()).toEqual([
      ['1000', '0'],
      ['1001', '1000'],
      ['1002', '1001'],
    ]);
    expect(routed).toEqual([
      { from: 1_000n, next: 1_002n },
      { from: 1_002n, next: 1_003n },
    ]);
  });

  it('tells gateways of a change of a conversation before they show it, and of nothing else', async () => {
    const { router, payloads, assign } = setup();
    await assign();
    await router.handle(batch(created, first));
    const heads = payloads
      .join('')
      .split('\n')
      .filter((_line, n) => n % 2 === 0);
    const id = created.key;
    expect(heads.map((head) => head.slice(0, 2 + id.length))).toEqual([
      `n ${id}`,
      expect.stringMatching(/^p /),
      expect.stringMatching(/^p /),
      '',
    ]);
  });

  it('a batch whose append failed is routed again just the same', async () => {
    const { router, inboxes, assign, handed } = setup();
    await assign();
    await router.handle(batch(created));
    inboxes.failing = true;
    const outcomes = [];
    for (let n = 0; n < 6; n++) outcomes.push(await router.handle(batch(first, second)));
    expect(outcomes.map((o) => 'retryAfterMs' in o && o.retryAfterMs)).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    inboxes.failing = false;
    await expect(router.handle(batch(first, second))).resolves.toEqual({ done: true });
    expect(handed()).toEqual([
      ['1000', '0'],
      ['1001', '1000'],
      ['1002', '1001'],
    ]);
  });

  it('gives up an append that hangs, whose late end changes nothing', async () => {
    jest.useFakeTimers();
    const { router, inboxes, assign, handed } = setup();
    await assign();
    let release = (): void => undefined;
    inboxes.hanging = new Promise((resolve) => (release = resolve));
    const hung = router.handle(batch(created, first));
    await jest.advanceTimersByTimeAsync(2_000);
    jest.useRealTimers();
    await expect(hung).resolves.toEqual({ retryAfterMs: 100 });
    inboxes.hanging = null;
    await router.handle(batch(created, first, second));
    release();
    await router.handle(batch(record(messageAt(3))));
    expect(handed().filter(([position]) => position === '1003')).toEqual([['1003', '1002']]);
  });

  it('only refills its state below the committed offset', async () => {
    const { router, routed, assign, handed } = setup();
    await expect(assign(2n)).resolves.toEqual({ seek: 0n });
    await router.handle(batch(created, first));
    expect(routed).toEqual([]);
    await router.handle(batch(second));
    expect(handed()).toEqual([['1002', '1001']]);
    expect(routed).toEqual([{ from: 1_002n, next: 1_003n }]);
  });

  describe('a partition that comes back', () => {
    beforeEach(() => jest.useFakeTimers());
    afterEach(() => jest.useRealTimers());

    /** Has routed `created`; nobody but its state knows the members. */
    async function revoked() {
      const rig = setup();
      await rig.assign();
      await rig.router.handle(batch(created));
      rig.router.revoked(0);
      return rig;
    }

    it('is routed by nobody meanwhile', async () => {
      const { router } = await revoked();
      await expect(router.handle(batch(first))).resolves.toEqual({ retryAfterMs: 100 });
    });

    it('goes on where it ended, with what was known', async () => {
      const { router, assign, handed } = await revoked();
      await expect(assign(0n)).resolves.toEqual({ seek: 1n });
      await expect(router.handle(batch(first))).resolves.toEqual({ done: true });
      expect(handed()).toEqual([
        ['1000', '0'],
        ['1001', '1000'],
      ]);
    });

    it('reads what another has routed meanwhile, and pushes none of it', async () => {
      const { router, assign, handed } = await revoked();
      await expect(assign(2n)).resolves.toEqual({ seek: 1n });
      await router.handle(batch(first, second));
      expect(handed()).toEqual([
        ['1000', '0'],
        ['1002', '1001'],
      ]);
    });

    it('is read anew when that was long ago, or when the log is another one', async () => {
      const { router, assign } = await revoked();
      await jest.advanceTimersByTimeAsync(30_000);
      await expect(assign(1n)).resolves.toEqual({ seek: 0n });
      // nobody knows the members now: not even a copy of them is there
      await expect(router.handle(batch(first))).resolves.toEqual({ retryAfterMs: 100 });
      const other = await revoked();
      const shorter = { committed: 0n, low: 0n, high: 0n };
      await expect(other.router.assigned(0, shorter)).resolves.toEqual({ seek: 0n });
    });

    it('has no trace of a batch that was under way when it went', async () => {
      const { router, inboxes, assign, handed } = setup();
      await assign();
      await router.handle(batch(created));
      let release = (): void => undefined;
      inboxes.hanging = new Promise((resolve) => (release = resolve));
      const under = router.handle(batch(first));
      await jest.advanceTimersByTimeAsync(0);
      router.revoked(0);
      inboxes.hanging = null;
      await expect(assign(1n)).resolves.toEqual({ seek: 1n });
      release();
      await under;
      await router.handle(batch(first, second));
      // pushed again, which clients merge; a state that took it for read would leave it out
      expect(handed().slice(-2)).toEqual([
        ['1001', '1000'],
        ['1002', '1001'],
      ]);
    });
  });

  it.each([
    ['not JSON', { value: Buffer.from('{') }, 'not JSON'],
    ['another shape', { value: Buffer.from('{}') }, 'conversationId'],
    ['a foreign key', { key: 'elsewhere' }, 'key'],
    ['no type', { type: '' }, 'ce_type is missing'],
    ['a later version', { type: 'tidings.message.sent.v2' }, 'unknown version'],
    ['another id', { id: 'x' }, 'ce_id'],
  ])('puts a record aside: %s', async (_name, changed, reason) => {
    const { router, deadLetters, assign, handed } = setup();
    await assign();
    await router.handle(batch(created, record(messageAt(1), changed), second));
    expect(deadLetters).toEqual([expect.stringContaining(reason)]);
    expect(handed()).toHaveLength(2);
  });

  it.each([
    ['another epoch', { epoch: EPOCH - 1 }],
    ['no epoch', { epoch: -1 }],
    ['a later type', { type: 'tidings.message.painted.v1' }],
  ])('passes over a record of %s', async (_name, changed) => {
    const { router, deadLetters, assign, handed } = setup();
    await assign();
    await router.handle(batch(created, record(messageAt(1), changed), second));
    expect(deadLetters).toEqual([]);
    expect(handed().map(([position]) => position)).toEqual(['1000', '1002']);
  });
});
