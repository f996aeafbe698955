import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import type { LogRecord } from '@tidings/common/log-events/record';
import { RedisUnavailable } from '@tidings/common/redis/client';
import type { InboxEntry } from '@tidings/common/redis/inbox';
import { Metrics } from '@tidings/common/runtime/metrics';
import { pino } from 'pino';
import { PresenceRouter } from './presence-router';
import { PresencePushMetrics } from './presence.metrics';

const user = (n: number): string =>
  `01890a5d-ac96-774b-bcce-b302099a80${String(n).padStart(2, '0')}`;
const boot = (bootId: string, gatewayId = 'g') => ({ gatewayId, bootId });

function record(n: number, version: number, over: Partial<LogRecord> = {}): LogRecord {
  const userId = user(n);
  const value = { userId, status: 'online', lastSeenAt: null, activeAt: null, version };
  return {
    topic: TOPICS.presenceChanges,
    partition: 0,
    offset: 0n,
    key: userId,
    headers: {},
    type: EVENT_TYPES.presenceChanged,
    id: 'i',
    source: 'p',
    time: '',
    epoch: 0,
    again: false,
    timestamp: 0,
    value: Buffer.from(JSON.stringify(value)),
    ...over,
  };
}

function setUp(watching: Record<string, ReturnType<typeof boot>[]>) {
  const world = { away: false, gone: new Set<string>() };
  const entries: InboxEntry[] = [];
  const removed: string[] = [];
  const router = new PresenceRouter(
    {
      watchers: {
        of: async (userIds) => {
          if (world.away) throw new RedisUnavailable('test');
          return userIds.map((userId) => watching[userId] ?? []);
        },
        remove: async (userIds, { bootId }) =>
          void removed.push(...userIds.map((u) => `${u} ${bootId}`)),
      },
      inboxes: {
        append: async (all) => {
          entries.push(...all);
          return all.map(({ bootId }) => (world.gone.has(bootId) ? 'gone' : 'ok'));
        },
      },
      metrics: new PresencePushMetrics(new Metrics({ service: 'session', node: 's' })),
      logger: pino({ level: 'silent' }),
      now: () => 0,
    },
    0,
  );
  const handle = (...records: LogRecord[]) =>
    router.handle({ partition: 0, records } as unknown as LogBatch);
  const told = () =>
    entries.map(({ gatewayId, bootId, payload }) => {
      const versions = [...String(payload).matchAll(/"version":(\d+)/g)].map(([, v]) => v);
      return `${gatewayId}|${bootId} ${versions.join()}`;
    });
  return { world, entries, removed, handle, told };
}

describe('PresenceRouter', () => {
  it('writes one entry for each gateway that has watchers, with the newest word of each user', async () => {
    const { handle, told } = setUp({
      [user(1)]: [boot('a'), boot('b', 'h')],
      [user(2)]: [boot('a')],
    });
    const batch = [record(1, 5), record(2, 7), record(1, 9), record(1, 8), record(3, 4)];
    expect(await handle(...batch)).toEqual({ done: true });
    expect(told()).toEqual(['g|a 9,7', 'h|b 9']);
  });

  it('passes over what is none, and cuts large entries', async () => {
    const ids = Array.from({ length: 501 }, (_, i) => record(i % 100, i));
    const { handle, told } = setUp(Object.fromEntries(ids.map(({ key }) => [key, [boot('a')]])));
    await handle(
      record(1, 1, { value: Buffer.from('{') }),
      record(1, 1, { key: user(2) }),
      record(1, 1, { type: 'tidings.later.v1' }),
    );
    expect(told()).toEqual([]);
    await handle(...ids);
    expect(told()).toHaveLength(1);
  });

  it('takes out a boot whose inbox is gone', async () => {
    const { handle, world, removed } = setUp({ [user(1)]: [boot('a'), boot('old')] });
    world.gone.add('old');
    await handle(record(1, 5));
    expect(removed).toEqual([`${user(1)} old`]);
  });

  it('tries again what Redis does not take', async () => {
    const { handle, world, told } = setUp({ [user(1)]: [boot('a')] });
    world.away = true;
    expect(await handle(record(1, 5))).toEqual({ retryAfterMs: 100 });
    expect(await handle(record(1, 5))).toEqual({ retryAfterMs: 200 });
    world.away = false;
    expect(await handle(record(1, 5))).toEqual({ done: true });
    expect(told()).toEqual(['g|a 5']);
  });
});
