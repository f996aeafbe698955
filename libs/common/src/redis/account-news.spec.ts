import { decodeInbox } from '@tidings/common/redis/inbox-codec';
import type { InboxEntry } from '@tidings/common/redis/inbox';
import type { Route } from '@tidings/common/redis/routes';
import { AccountNews } from './account-news';

const route = (deviceId: string, gatewayId: string, connectionId: string): Route => ({
  userId: 'u',
  deviceId,
  gatewayId,
  bootId: `boot-${gatewayId}`,
  connectionId,
  generation: '1',
});

function setUp(routes: Route[] | Error) {
  const written: InboxEntry[] = [];
  const log: unknown[] = [];
  const news = new AccountNews({
    routes: {
      lookup: () => (routes instanceof Error ? Promise.reject(routes) : Promise.resolve([routes])),
    },
    inboxes: {
      append: (entries) => {
        written.push(...entries);
        return Promise.resolve(entries.map(() => 'ok' as const));
      },
    },
    logger: { debug: (...line: unknown[]) => void log.push(line) } as never,
  });
  const pushes = () =>
    written.map((entry) => {
      let push = '';
      decodeInbox(entry.payload, {
        changed: () => (push += 'changed'),
        push: (ids, frame) => (push += `${ids.join()} ${frame.toString()}`),
        all: () => (push += 'all'),
        tells: () => (push += 'tells'),
        close: () => (push += 'closed'),
        presence: () => (push += 'presence'),
        judge: () => (push += 'judge'),
      });
      return `${entry.gatewayId} ${push}`;
    });
  return { news, pushes, log };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const FRAME = '{"type":"account","changed":["devices","me"]}';

describe('AccountNews', () => {
  it('reaches every device but the one that made them, one entry per gateway', async () => {
    const { news, pushes } = setUp([
      route('phone', 'g1', '1'),
      route('laptop', 'g2', '7'),
      route('tablet', 'g1', '2'),
      route('watch', 'g1', '3'),
    ]);
    news.tell('u', ['devices', 'me'], 'phone');
    await settle();
    expect(pushes()).toEqual([`g2 7 ${FRAME}`, `g1 2,3 ${FRAME}`]);
  });

  it('writes nothing when nobody is there', async () => {
    const { news, pushes } = setUp([route('phone', 'g1', '1')]);
    news.tell('u', ['blocks'], 'phone');
    await settle();
    expect(pushes()).toEqual([]);
  });

  it('survives the loss of Redis', async () => {
    const { news, log } = setUp(new Error('Redis is away'));
    news.tell('u', ['blocks']);
    await settle();
    expect(log).toHaveLength(1);
  });

  it('drops news when too many are under way, and recovers', async () => {
    const { news, pushes } = setUp([route('phone', 'g1', '1')]);
    for (let n = 0; n < 1_001; n++) news.tell('u', ['blocks']);
    expect(news.dropped).toBe(1);
    await settle();
    news.tell('u', ['blocks']);
    await settle();
    expect([pushes().length, news.dropped]).toEqual([1_001, 1]);
  });
});
