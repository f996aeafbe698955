import type { GatewayEntry } from '@tidings/common/redis/directory';
import { choose } from './choose';

function gateway(id: string, changes: Partial<GatewayEntry> = {}): GatewayEntry {
  return {
    service: 'gateway',
    id,
    bootId: 'boot',
    url: `ws://${id}`,
    version: '1',
    state: 'ready',
    connections: 10,
    capacity: 100,
    loopDelayMs: 0,
    connectsPerSecond: 100,
    at: 0,
    ...changes,
  };
}

/** Gives these numbers in turn. */
function numbers(...values: number[]): () => number {
  let at = 0;
  return () => values[at++ % values.length]!;
}

const ids = (entries: GatewayEntry[]) => entries.map((entry) => entry.id);

describe('choose', () => {
  it('puts the less loaded of two random gateways first, the other is the backup', () => {
    const list = [gateway('a', { connections: 50 }), gateway('b'), gateway('c')];
    expect(ids(choose(list, [], numbers(0, 0)))).toEqual(['b', 'a']);
    expect(ids(choose(list, [], numbers(0.99, 0)))).toEqual(['c', 'a']);
  });

  it('judges the load by capacity', () => {
    const small = gateway('small', { connections: 20, capacity: 40 });
    const large = gateway('large', { connections: 100, capacity: 1000 });
    expect(ids(choose([small, large], [], numbers(0, 0)))).toEqual(['large', 'small']);
  });

  it('counts an event loop that is late beside the connections, not its usual unrest', () => {
    const calm = gateway('calm', { connections: 50, loopDelayMs: 20 });
    const late = gateway('late', { loopDelayMs: 150 });
    expect(ids(choose([late, calm], [], numbers(0, 0)))).toEqual(['calm', 'late']);
    const free = gateway('free', { connections: 49, loopDelayMs: 50 });
    expect(ids(choose([calm, free], [], numbers(0, 0)))).toEqual(['free', 'calm']);
  });

  it.each([
    ['draining', { state: 'draining' as const }],
    ['full', { connections: 100 }],
    ['without capacity', { connections: 0, capacity: 0 }],
  ])('leaves out a gateway that is %s', (_, changes) => {
    expect(ids(choose([gateway('a', changes), gateway('b')], [], numbers(0)))).toEqual(['b']);
    expect(choose([gateway('a', changes)], [], numbers(0))).toEqual([]);
  });

  it('takes gateways to avoid only when there is no other', () => {
    const list = [gateway('a'), gateway('b')];
    expect(ids(choose(list, ['a'], numbers(0)))).toEqual(['b']);
    expect(ids(choose(list, ['a', 'b'], numbers(0))).sort()).toEqual(['a', 'b']);
  });

  it('never gives one gateway twice, and reaches each', () => {
    const list = ['a', 'b', 'c', 'd'].map((id) => gateway(id));
    const seen = new Set<string>();
    for (let i = 0; i < 16; i += 1) {
      const pair = ids(choose(list, [], numbers((i % 4) / 4, Math.floor(i / 4) / 4)));
      expect(new Set(pair).size).toBe(2);
      for (const id of pair) seen.add(id);
    }
    expect(seen.size).toBe(4);
  });
});
