import type { NodeEntry } from '@tidings/common/redis/directory';
import { lagOf, phaseOf } from './cluster.controller';

const LEADER = { service: 'storage', node: 'storage-1', bootId: 'b1', term: '3', since: '' };

function node(over: Partial<NodeEntry>): NodeEntry {
  return {
    id: 'storage-1',
    bootId: 'b1',
    url: 'http://x',
    version: '1',
    state: 'ready',
    at: 0,
    service: 'storage',
    lag: {},
    ...over,
  };
}

describe('the state of the cluster', () => {
  it.each([
    ['normal', [LEADER], [node({})]],
    ['normal', [LEADER], []],
    ['electing', [], [node({})]],
    ['electing', [], []],
    ['electing', [LEADER], [node({ bootId: 'b2' })]],
    ['joining', [LEADER], [node({ state: 'joining' })]],
    ['joining', [LEADER], [node({ service: 'session' })]],
  ] as const)('is %s', (phase, leaders, entries) => {
    expect(phaseOf([...leaders], [...entries])).toBe(phase);
  });

  it('adds up the lag of a group, and knows no age when a member does not', () => {
    const lag = (records: number, seconds: number | null) => ({ g: { records, seconds } });
    expect(lagOf([node({ lag: lag(2, 1) }), node({ lag: lag(3, 4) })])).toEqual({
      g: { records: 5, seconds: 4 },
    });
    expect(lagOf([node({ lag: lag(2, null) }), node({ lag: lag(3, 4) })])).toEqual({
      g: { records: 5, seconds: null },
    });
  });
});
