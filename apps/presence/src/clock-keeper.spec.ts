import type { ClocksDue } from '@tidings/common/redis/presence-partitions';
import { ClockKeeper } from './clock-keeper';
import type { Clocks } from './domain/clocks';
import { unknownUser } from './domain/user-state';

const silent = { warn: () => undefined, info: () => undefined } as never;

/** One partition: the index and the states in Redis, and what the database keeps. */
function setUp() {
  const index = new Map<string, number>();
  const states = new Map<string, number>();
  const kept = new Map<string, number>();
  const rows = (): ClocksDue[] =>
    [...index].sort((a, b) => a[1] - b[1]).map(([userId, at]) => ({ userId, score: String(at) }));
  let pages = 0;
  const keeper = new ClockKeeper({
    tracker: { all: () => [{ partition: 0 }] as never },
    partitions: {
      clocks: async (_partition, skip, count) => {
        pages += 1;
        return rows().slice(skip, skip + count);
      },
      clocksKept: async (_partition, some) => {
        for (const { userId, score } of some) {
          if (String(index.get(userId)) === score) index.delete(userId);
        }
      },
    },
    states: {
      read: async (userIds) => ({
        atUs: 0,
        stored: userIds.map((userId) => {
          const at = states.get(userId);
          const state = unknownUser({ lastSeenAtMs: at ?? null, activeAtMs: null });
          return { stamp: '1', version: 1, state: at === undefined ? null : JSON.stringify(state) };
        }),
      }),
    },
    lastSeen: {
      raise: async (some: readonly Clocks[]) =>
        some.forEach(({ userId, lastSeenAtMs }) => kept.set(userId, lastSeenAtMs)),
    },
    metrics: { raised: () => undefined },
    defects: { note: () => undefined },
    logger: silent,
  });
  return { index, states, kept, keeper, pages: () => pages };
}

describe('clocks that are kept', () => {
  it('are those of the index, which is empty then', async () => {
    const { index, states, kept, keeper } = setUp();
    for (let n = 1; n <= 1_200; n++) {
      index.set(`u${n}`, n);
      states.set(`u${n}`, n);
    }
    await keeper.keep();
    expect(kept.size).toBe(1_200);
    expect(index.size).toBe(0);
  });

  it('are not taken for those that the index has and the state has not yet', async () => {
    const { index, states, kept, keeper } = setUp();
    states.set('ann', 1);
    index.set('ann', 2);
    index.set('new', 2);
    await keeper.keep();
    expect([...index.keys()]).toEqual(['ann', 'new']);
    states.set('ann', 2);
    states.set('new', 2);
    await keeper.keep();
    expect(kept).toEqual(new Map(Object.entries({ ann: 2, new: 2 })));
    expect(index.size).toBe(0);
  });

  it('are not waited for without an end: whoever does not come till the next look is let go', async () => {
    const { index, states, keeper } = setUp();
    states.set('ann', 1);
    index.set('ann', 2);
    await keeper.keep();
    await keeper.keep();
    expect(index.size).toBe(0);
  });

  it('are found behind any number of those that are waited for', async () => {
    const { index, states, kept, keeper, pages } = setUp();
    for (let n = 1; n <= 1_100; n++) index.set(`late${n}`, n);
    index.set('ann', 5_000);
    states.set('ann', 5_000);
    await keeper.keep();
    expect(kept).toEqual(new Map([['ann', 5_000]]));
    expect(index.size).toBe(1_100);
    expect(pages()).toBe(3);
  });
});
