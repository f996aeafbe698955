import type { Sql } from '../database/database';
import { type Counted, StateKeeper } from './state-keeper';

const counted = (n: number, count = 1): Counted => ({
  conversationId: `c${n}`,
  userId: 'u',
  position: '9',
  digest: { value: `digest ${n}`, from: '1', since: new Date(0), until: null },
  unread: { count, after: '0', until: null },
});

function setUp(options: { fails?: boolean } = {}) {
  const written: { name: string; values: unknown[] }[] = [];
  let running = 0;
  let most = 0;
  let dropped = 0;
  let open: () => void = () => undefined;
  let gate: Promise<void> | null = null;
  const database: Sql = {
    rows: async ({ name, text }, values = []) => {
      most = Math.max(most, ++running);
      await gate;
      running--;
      if (options.fails) throw new Error('away');
      written.push({ name: name ?? text, values });
      return [];
    },
  };
  const keeper = new StateKeeper(database, { debug: jest.fn() }, () => dropped++);
  return {
    keeper,
    written,
    hold: () => {
      gate = new Promise((resolve) => (open = resolve));
    },
    release: () => open(),
    facts: () => ({ most, dropped }),
    ids: () => written.map((w) => w.values[0]),
  };
}

describe('StateKeeper', () => {
  it('writes what was counted by one statement', async () => {
    const { keeper, written } = setUp();
    keeper.keep([counted(1), { ...counted(2), digest: null }, { ...counted(3), unread: null }]);
    keeper.keep([counted(4)]);
    await keeper.idle();
    expect(written.map((w) => w.name)).toEqual(['keep-counted']);
    expect(written[0]!.values[0]).toEqual(['c1', 'c3', 'c4']);
    expect(written[0]!.values[6]).toEqual(['c1', 'c2', 'c4']);
  });

  it('writes nothing when there is nothing new', async () => {
    const { keeper, written } = setUp();
    keeper.keep([{ ...counted(1), digest: null, unread: null }]);
    await keeper.idle();
    expect(written).toEqual([]);
  });

  it('writes one after the other, the last word of each member', async () => {
    const { keeper, written, hold, release, facts, ids } = setUp();
    hold();
    keeper.keep([counted(1)]);
    await Promise.resolve();
    await Promise.resolve();
    keeper.keep([counted(2, 5)]);
    keeper.keep([counted(2, 6)]);
    release();
    await keeper.idle();
    expect(ids()).toEqual([['c1'], ['c2']]);
    expect(written.at(-1)!.values[10]).toEqual([6]);
    expect(facts().most).toBe(1);
  });

  it('holds a bounded number and counts what it leaves out', async () => {
    const { keeper, hold, release, facts, ids } = setUp();
    hold();
    keeper.keep(Array.from({ length: 5_003 }, (_, n) => counted(n)));
    expect(facts().dropped).toBe(3);
    release();
    await keeper.idle();
    expect(ids().flat()).toHaveLength(5_000);
  });

  it('goes on after a failure, and ends when it is stopped', async () => {
    const failing = setUp({ fails: true });
    failing.keeper.keep([counted(1)]);
    await failing.keeper.idle();
    const { keeper, written, hold, release } = setUp();
    hold();
    keeper.keep([counted(1)]);
    const stopped = keeper.stop();
    keeper.keep([counted(2)]);
    release();
    await stopped;
    expect(written).toEqual([]);
  });
});
