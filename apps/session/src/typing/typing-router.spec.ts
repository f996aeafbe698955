import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { TOPICS } from '@tidings/common/log-events/topics';
import { TYPING } from '@tidings/protocol/typing';
import type { LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import type { LogRecord } from '@tidings/common/log-events/record';
import { RedisUnavailable } from '@tidings/common/redis/client';
import { Metrics } from '@tidings/common/runtime/metrics';
import { pino } from 'pino';
import type { Notice } from '../domain/fan-out';
import { TypingRouter } from './typing-router';
import { TypingPushMetrics } from './typing.metrics';

const NOW = 1_000_000;
const [CONVERSATION, OTHER] = ['A', 'B'].map((letter) => letter.repeat(43)) as [string, string];
const ANN = '01890a5d-ac96-774b-bcce-b302099a8001';
const BOB = '01890a5d-ac96-774b-bcce-b302099a8002';

function record(value: unknown, fields: Partial<LogRecord> = {}): LogRecord {
  return {
    topic: TOPICS.signals,
    partition: 0,
    offset: 0n,
    key: CONVERSATION,
    headers: {},
    type: EVENT_TYPES.typing,
    id: 'i',
    source: 'g',
    time: '',
    epoch: 1,
    again: false,
    timestamp: NOW,
    value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    ...fields,
  };
}
const typing = (active: boolean, fields: object = {}) => ({
  conversationId: CONVERSATION,
  userId: ANN,
  active,
  at: '',
  ...fields,
});

function setUp() {
  const world = { failing: false };
  const handed: Notice[][] = [];
  const registry = new Metrics({ service: 'session', node: 's' });
  const copies = {
    get: async (ids: readonly string[]) => {
      if (world.failing) throw new RedisUnavailable('test');
      return ids.map((conversationId) =>
        conversationId === OTHER
          ? null
          : {
              conversationId,
              kind: 'direct' as const,
              version: 1,
              lastPosition: '0',
              members: [ANN, BOB].map((userId) => ({ userId, from: '0', until: null })),
            },
      );
    },
  };
  const router = new TypingRouter(
    {
      copies,
      deliveries: {
        handOut: async (notices) => {
          handed.push([...notices]);
          return { results: [], pushes: notices.length };
        },
      },
      metrics: new TypingPushMetrics(registry),
      defects: { note: () => undefined },
      logger: pino({ level: 'silent' }),
      now: () => NOW,
    },
    0,
  );
  const handle = (...records: LogRecord[]) =>
    router.handle({ partition: 0, records } as unknown as LogBatch);
  const outcomes = async (): Promise<Record<string, number>> => {
    const metric = await registry.registry.getSingleMetric('tidings_session_typing_total')!.get();
    return Object.fromEntries(metric.values.map((v) => [v.labels['outcome'], v.value]));
  };
  return { world, handed, handle, outcomes };
}

describe('TypingRouter', () => {
  it('hands out the last word of each user', async () => {
    const { handed, handle, outcomes } = setUp();
    expect(
      await handle(
        record(typing(true)),
        record(typing(true, { userId: BOB })),
        record(typing(false)),
      ),
    ).toEqual({ done: true });
    expect(handed).toHaveLength(1);
    expect(handed[0]!.map((l) => [JSON.parse(l.frame) as object, l.userIds])).toEqual([
      [{ type: 'typing', conversationId: CONVERSATION, userId: BOB, active: true }, [ANN]],
      [{ type: 'typing', conversationId: CONVERSATION, userId: ANN, active: false }, [BOB]],
    ]);
    expect(await outcomes()).toEqual({ skipped: 1, told: 2 });
  });

  it('leaves out what is old, unknown or no signal', async () => {
    const { handed, handle, outcomes } = setUp();
    await handle(
      record(typing(true), { timestamp: NOW - TYPING.staleMs - 1 }),
      record('{"active":'),
      record({ ...typing(true), userId: 'x' }),
      record(typing(true), { key: OTHER }),
      record(typing(true), { type: 'tidings.later.v1' }),
      record(typing(true, { conversationId: OTHER }), { key: OTHER }),
    );
    expect(handed).toEqual([[]]);
    expect(await outcomes()).toEqual({ stale: 1, skipped: 4, untold: 1 });
  });

  it('gives up what Redis does not take, and goes on', async () => {
    const { world, handed, handle, outcomes } = setUp();
    world.failing = true;
    expect(await handle(record(typing(true)))).toEqual({ done: true });
    world.failing = false;
    await handle(record(typing(false)));
    expect(handed).toHaveLength(1);
    expect(await outcomes()).toEqual({ failed: 1, told: 1 });
  });
});
