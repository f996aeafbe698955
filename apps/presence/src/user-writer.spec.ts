import type { IndexEntry } from '@tidings/common/redis/presence-partitions';
import type { DatedEvent } from './domain/apply-event';
import { rulesOf } from './domain/rules';
import { UserWriter } from './user-writer';

const USER = 'u1';
const RULES = rulesOf({ awayMs: 300_000, graceMs: 15_000 });
const PATIENCE = { offlineFromMs: 0, lossesFromMs: 0 };

const opened = (offset: bigint): DatedEvent => ({
  kind: 'opened',
  event: {
    userId: USER,
    deviceId: 'd1',
    connectionId: 'c1',
    gatewayId: 'gateway-1',
    bootId: 'boot-1',
    generation: '1',
    at: new Date(1_000).toISOString(),
  },
  epoch: 1,
  offset,
  atMs: 1_000,
});

describe('a user who is written', () => {
  it('is named by the index of clocks before the state is there, and once more behind it', async () => {
    const done: string[] = [];
    let stored: string | null = null;
    const writer = new UserWriter({
      states: {
        read: async () => ({
          atUs: 2_000_000,
          stored: [{ stamp: '1', version: 1, state: stored }],
        }),
        write: async ([one]: { state: string }[]) => {
          if (!one) return [];
          done.push('state');
          stored = one.state;
          return [2];
        },
      } as never,
      partitions: {
        index: async (_partition: number, _term: string, entries: readonly IndexEntry[]) => {
          done.push(...entries.filter(({ index }) => index === 'clocks').map(({ index }) => index));
        },
      },
      leases: { holders: async () => ['boot-1'] } as never,
      lastSeen: { find: async () => new Map() },
      changes: { append: async () => new Set([USER]) },
      rules: RULES,
      metrics: { told: () => undefined, conflict: () => undefined },
      defects: { note: () => undefined },
      logger: { debug: () => undefined } as never,
    });
    const work = new Map([[USER, { events: [opened(5n)] }]]);
    await writer.write(0, '1', work, () => PATIENCE);
    expect(done).toEqual(['clocks', 'state', 'clocks']);
    // what was applied already raises nothing
    await writer.write(0, '1', work, () => PATIENCE);
    expect(done).toHaveLength(3);
  });
});
