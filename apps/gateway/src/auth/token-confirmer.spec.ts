import { TokenConfirmer } from './token-confirmer';

const principal = { userId: 'u', deviceId: 'd', generation: 1 };
const settle = () => new Promise((resolve) => setImmediate(resolve));

function setUp() {
  const calls: number[] = [];
  const world = { fails: false };
  const confirmer = new TokenConfirmer({
    call: ((_name: string, input: { sequence: number }) => {
      calls.push(input.sequence);
      return world.fails ? Promise.reject(new Error('away')) : Promise.resolve({});
    }) as never,
  });
  return { confirmer, calls, world };
}

describe('TokenConfirmer', () => {
  it('tells storage of the first use of a refreshed token, once', async () => {
    const { confirmer, calls } = setUp();
    for (const sequence of [1, 2, 2, 3, 2, 3]) confirmer.used(principal, sequence);
    await settle();
    expect(calls).toEqual([2, 3]);
  });

  it('tells it again when storage did not hear it', async () => {
    const { confirmer, calls, world } = setUp();
    world.fails = true;
    confirmer.used(principal, 2);
    await settle();
    world.fails = false;
    confirmer.used(principal, 2);
    await settle();
    expect(calls).toEqual([2, 2]);
  });
});
