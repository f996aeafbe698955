import type { PartitionBounds } from '../kafka/offsets/log-offsets';
import { GROUPS, GROUP_TOPICS, TOPICS, topicSpecs } from '../log-events/topics';
import type { Logger } from '../runtime/logger';
import { Metrics } from '../runtime/metrics';
import { LagWatch } from './lag-watch';

const NOW = 1_000_000_000;
const DAY_MS = 86_400_000;

function watchOf(answers: {
  bounds?: (topic: string) => PartitionBounds[];
  committed?: (group: string) => (bigint | null)[];
  recordTime?: () => number | null;
}) {
  const state = { leader: true, now: NOW };
  const metrics = new Metrics({ service: 'storage', node: 'storage-1' });
  const said: string[] = [];
  const say = (_: object, text: string) => void said.push(text);
  const watch = new LagWatch({
    offsets: {
      logBounds: (topic) => Promise.resolve(answers.bounds?.(topic) ?? [{ low: 0n, high: 0n }]),
      fetchGroupOffsets: (group) => Promise.resolve(answers.committed?.(group) ?? [0n]),
      recordTime: () => Promise.resolve(answers.recordTime?.() ?? null),
    },
    topics: topicSpecs({ partitions: 1, replication: 1, minInsyncReplicas: 1 }),
    own: [GROUPS.storageWriter],
    leads: () => state.leader,
    metrics,
    logger: { warn: say, info: say } as unknown as Logger,
    now: () => state.now,
  });
  const page = () => metrics.registry.metrics();
  return { watch, state, said, page };
}

describe('the watch over the lag of the groups', () => {
  it('knows what each group reads', () => {
    expect(Object.keys(GROUP_TOPICS).sort()).toEqual(Object.values(GROUPS).sort());
  });

  it('tells records, age, and how much of the retention is used up', async () => {
    const { watch, page } = watchOf({
      bounds: (topic) => [{ low: 0n, high: topic === TOPICS.receipts ? 9n : 0n }],
      committed: (group) => [group === GROUPS.storageReceipts ? 4n : 9n],
      recordTime: () => NOW - DAY_MS / 4,
    });
    await watch.look();
    const lag = { records: 5, lost: 0, seconds: 21_600, retentionUsed: 0.25 };
    expect(watch.current.get(GROUPS.storageReceipts)).toEqual(lag);
    expect(watch.current.get(GROUPS.sessionReceipts)).toMatchObject({ records: 0, seconds: 0 });
    expect(await page()).toMatch(/tidings_group_lag_records\{group="storage-receipts".*\} 5\n/);
    expect(await page()).toMatch(/tidings_group_retention_used\{group="storage-receipts".*\} 0.25/);
  });

  it('says once that a group is far behind, and once that it is back', async () => {
    const answers = { high: 1n };
    const { watch, state, said } = watchOf({
      bounds: (topic) => [{ low: 0n, high: topic === TOPICS.signals ? answers.high : 0n }],
      recordTime: () => NOW,
    });
    for (const seconds of [0, 29, 30, 60, 20, 40]) {
      state.now = NOW + seconds * 1000;
      await watch.look();
    }
    expect(said).toEqual(['a consumer group is far behind the log']);
    answers.high = 0n;
    await watch.look();
    await watch.look();
    expect(said.slice(1)).toEqual(['a consumer group has caught up with the log']);
  });

  it('tells only of its own groups once another instance leads, and leaves the log lines to that', async () => {
    const { watch, state, page, said } = watchOf({
      bounds: () => [{ low: 0n, high: 1n }],
      recordTime: () => NOW - 60_000,
    });
    await watch.look();
    expect(watch.current.size).toBe(Object.values(GROUPS).length);
    expect(await page()).toContain('tidings_group_lag_records{');
    state.leader = false;
    said.splice(0);
    await watch.look();
    expect([...watch.current.keys()]).toEqual([GROUPS.storageWriter]);
    expect((await page()).match(/tidings_group_lag_records\{group="[^"]+"/g)).toEqual([
      'tidings_group_lag_records{group="storage-writer"',
    ]);
    expect(said).toEqual([]);
  });

  it('keeps no old figure of a group that could not be asked', async () => {
    const answers = { fails: false };
    const { watch } = watchOf({
      committed: (group) => {
        if (answers.fails && group === GROUPS.storageWriter) throw new Error('no coordinator');
        return [0n];
      },
    });
    await watch.look();
    expect(watch.current.has(GROUPS.storageWriter)).toBe(true);
    answers.fails = true;
    await expect(watch.look()).rejects.toThrow('no coordinator');
    expect(watch.current.has(GROUPS.storageWriter)).toBe(false);
    // the others are looked at all the same, and what goes on failing is said once
    expect(watch.current.size).toBe(Object.values(GROUPS).length - 1);
    await watch.look();
    answers.fails = false;
    await watch.look();
    answers.fails = true;
    await expect(watch.look()).rejects.toThrow('no coordinator');
  });
});
