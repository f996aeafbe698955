import type { ConnectsResult } from './generator/connects-protocol';
import { type SyncFacts, judgeSyncs } from './sync-verdict';

const quiet = { count: 1, p50: 0.1, p90: 0.2, p99: 0.5, p999: 1, max: 2 };

function facts(change: Partial<SyncFacts> = {}, result: Partial<ConnectsResult> = {}): SyncFacts {
  return {
    rowsRead: 0,
    presence: { events: 0, users: 0 },
    presenceMoves: false,
    ...change,
    result: {
      scheduled: 100,
      runScheduled: 100,
      runStarted: 100,
      right: 100,
      delayed: 0,
      errors: [],
      latency: { ticket: quiet, upgraded: quiet, synced: quiet, closed: quiet },
      scheduleLag: quiet,
      ...result,
    },
  };
}

describe('judgeSyncs', () => {
  it.each<[string, SyncFacts]>([
    ['a good run', facts()],
    ['what was not looked at', facts({ rowsRead: null, presence: null })],
    ['sockets that show', facts({ presence: { events: 9, users: 2 }, presenceMoves: true })],
  ])('passes %s', (_, given) => {
    expect(judgeSyncs(given, 0.3)).toEqual({ outcome: 'PASSED', reasons: [] });
  });

  it.each<[string, SyncFacts, RegExp]>([
    ['rows that were read', facts({ rowsRead: 3 }), /3 rows of messages/],
    ['presence that moved', facts({ presence: { events: 1, users: 0 } }), /presence moved: 1/],
    ['another presence', facts({ presence: { events: 0, users: 1 } }), /1 users/],
    ['a blind probe', facts({ presenceMoves: true }), /no presence event/],
    ['nothing right', facts({}, { right: 0 }), /nothing was answered/],
    [
      'a wrong answer',
      facts({}, { errors: [{ type: 'digest', count: 2, examples: ['user 1: x'] }] }),
      /digest × 2: user 1: x/,
    ],
  ])('fails %s', (_, given, reason) => {
    const { outcome, reasons } = judgeSyncs(given, 0.3);
    expect(outcome).toBe('FAILED');
    expect(reasons.join()).toMatch(reason);
  });

  it.each<[SyncFacts, number]>([
    [facts({}, { runStarted: 98 }), 0.3],
    [facts({}, { scheduleLag: { ...quiet, p99: 11 } }), 0.3],
    [facts(), 0.8],
  ])('is void when the generator was the bottleneck', (given, share) => {
    expect(judgeSyncs(given, share).outcome).toBe('VOID');
  });
});
