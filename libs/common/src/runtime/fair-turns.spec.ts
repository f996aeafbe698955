import { TidingsError } from '@tidings/protocol/errors';
import { FairTurns } from './fair-turns';

const OPTIONS = {
  concurrency: 1,
  limits: { total: 4, perNetwork: 3, perFlow: 3 },
  waitLimitMs: 30,
  detail: 'too much',
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

function setUp(concurrency = 1) {
  const world = { now: 0 };
  const turns = new FairTurns({ ...OPTIONS, concurrency }, () => world.now);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (who: string, name: string, fails = false): Promise<string> =>
    turns
      .take({ network: who, account: who }, async () => {
        begun.push(name);
        await new Promise<void>((end) => ends.push(end));
        if (fails) throw new Error(name);
        return 'done';
      })
      .catch((error: unknown) => (error instanceof TidingsError ? error.code : 'failed'));
  const finish = async (): Promise<void> => {
    ends.shift()!();
    await turn();
  };
  return { world, turns, begun, ask, finish };
}

describe('FairTurns', () => {
  it('lets everybody take turns, each in the order of asking, also past failures', async () => {
    const { begun, ask, finish } = setUp();
    const first = ask('a', 'a1', true);
    for (const name of ['a2', 'a3', 'a4']) void ask('a', name);
    void ask('b', 'b1');
    for (let i = 0; i < 5; i++) await finish();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'a4']);
    expect(await first).toBe('failed');
  });

  it('runs no more than allowed at a time', async () => {
    const { begun, ask, finish, turns } = setUp(2);
    for (const name of ['1', '2', '3']) void ask('a', name);
    await turn();
    expect([begun.length, turns.queued]).toEqual([2, 1]);
    await finish();
    expect([begun.length, turns.queued]).toEqual([3, 0]);
  });

  it('refuses what is too much of one, and too much in all', async () => {
    const { ask, turns } = setUp();
    for (const name of ['1', '2', '3', '4']) void ask('a', name);
    expect(await ask('a', '5')).toBe('busy');
    void ask('b', '1');
    // the longest line loses its last
    void ask('c', '1');
    await turn();
    expect([turns.queued, turns.refused]).toEqual([4, 2]);
  });

  it('begins nothing that has waited too long, and goes on with the others', async () => {
    const { world, begun, ask, finish, turns } = setUp();
    void ask('a', '1');
    const late = ask('a', '2');
    world.now = OPTIONS.waitLimitMs + 1;
    const last = ask('b', '3');
    await finish();
    expect(await late).toBe('busy');
    await finish();
    expect(await last).toBe('done');
    expect(begun).toEqual(['1', '3']);
    expect(turns.queued).toBe(0);
  });
});
