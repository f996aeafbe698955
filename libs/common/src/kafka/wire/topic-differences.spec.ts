import type { TopicSpec } from '../../log-events/topics';
import { differencesOf, isSetting } from './topic-differences';

const SPEC: TopicSpec = {
  name: 't',
  partitions: 8,
  replication: 3,
  config: { 'min.insync.replicas': '2', 'retention.ms': '1000' },
};

describe('what is expected of a topic against what is', () => {
  it('is nothing when all is as it should be, whatever else is set', () => {
    const { partitions, replication, config } = SPEC;
    const same = { partitions, replication, config };
    expect(differencesOf(SPEC, same)).toEqual([]);
    const more = { ...same.config, 'segment.ms': '5' };
    expect(differencesOf(SPEC, { ...same, config: more })).toEqual([]);
  });

  it('is one thing when the topic does not exist', () => {
    const missing = { topic: 't', what: 'topic', expected: 'exists', found: null };
    expect(differencesOf(SPEC, null)).toEqual([missing]);
    expect(isSetting(missing)).toBe(false);
  });

  it('names each thing that differs, in the order of the spec', () => {
    const found = differencesOf(SPEC, {
      partitions: 4,
      replication: 1,
      config: { 'retention.ms': '999' },
    });
    expect(found).toEqual([
      { topic: 't', what: 'partitions', expected: '8', found: '4' },
      { topic: 't', what: 'replication', expected: '3', found: '1' },
      { topic: 't', what: 'min.insync.replicas', expected: '2', found: null },
      { topic: 't', what: 'retention.ms', expected: '1000', found: '999' },
    ]);
    expect(found.filter(isSetting).map(({ what }) => what)).toEqual([
      'min.insync.replicas',
      'retention.ms',
    ]);
  });
});
