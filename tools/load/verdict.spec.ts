import type { GeneratorResult } from './generator/protocol';
import { runReport } from './testing/run-report';
import { type KeptUp, judge } from './verdict';

const quiet = { count: 1, p50: 0.1, p90: 0.2, p99: 0.5, p999: 1, max: 2 };

function result(change: Partial<GeneratorResult> = {}): GeneratorResult {
  return {
    ...runReport().result,
    latency: { sent: quiet, delivered: quiet, stored: quiet },
    scheduleLag: quiet,
    undeliveredAtEnd: 0,
    deliveredAfterMs: 0,
    ...change,
  };
}

function receipts(
  change: Partial<NonNullable<GeneratorResult['receipts']>>,
): Partial<GeneratorResult> {
  return { receipts: { reads: 10, seen: quiet, unseen: 0, invented: 0, ...change } };
}

function presence(
  change: Partial<NonNullable<GeneratorResult['presence']>>,
): Partial<GeneratorResult> {
  const messages = { sent: quiet, delivered: quiet };
  return {
    presence: {
      seen: { state: quiet, close: quiet, connect: quiet },
      messages: { calm: messages, churn: messages },
      scheduled: 100,
      runScheduled: 100,
      runDone: 100,
      runChanges: 90,
      scheduleLag: quiet,
      sights: { seen: 2000, excused: 3, lost: 0 },
      compared: 400,
      errors: [],
      ...change,
    },
  };
}

function ledger(change: Partial<GeneratorResult['ledger']>): Partial<GeneratorResult> {
  return { ledger: { ...result().ledger, ...change } };
}

/** One generator that sent it all. */
function alone({ runSent, runScheduled, scheduleLag }: GeneratorResult, share: number): KeptUp[] {
  const lagP99Ms = scheduleLag.p99;
  return [{ name: 'generator', share, sent: runSent, scheduled: runScheduled, lagP99Ms }];
}

describe('judge', () => {
  it.each<[string, Partial<GeneratorResult>, number]>([
    ['a good run', {}, 0.3],
    ['exactly at the limits', { runSent: 990, scheduleLag: { ...quiet, p99: 10 } }, 0.7],
    ['refusals that were taken later', { refused: { busy: 3 } }, 0.3],
    ['raw duplicates', ledger({ duplicates: 4 }), 0.3],
    ['receipts that were shown', receipts({}), 0.3],
    ['changes of presence that were seen', presence({ runDone: 99 }), 0.3],
  ])('passes %s', (_, change, share) => {
    const run = result(change);
    expect(judge(run, alone(run, share)).outcome).toBe('PASSED');
  });

  it.each<[string, Partial<GeneratorResult>, number, RegExp]>([
    ['a busy generator', {}, 0.71, /71\.0 % of a core/],
    ['a late generator', { scheduleLag: { ...quiet, p99: 10.1 } }, 0.3, /late: p99 10\.1 ms/],
    ['a schedule that was not sent', { runSent: 989 }, 0.3, /98\.9 %/],
    ['a limited run', { refused: { rate_limited: 5 } }, 0.3, /limits refused 5 sends/],
    ['nothing scheduled', { runScheduled: 0, runSent: 0 }, 0.3, /0\.0 %/],
    ['no figure at all', {}, Number.NaN, /NaN/],
    [
      'changes that came late',
      presence({ scheduleLag: { ...quiet, p99: 11 } }),
      0.3,
      /of changes: the generator was late/,
    ],
    ['changes that were passed over', presence({ runDone: 98 }), 0.3, /of changes: only 98\.0 %/],
  ])('voids %s', (_, change, share, reason) => {
    const run = result(change);
    const verdict = judge(run, alone(run, share));
    expect(verdict.outcome).toBe('VOID');
    expect(verdict.reasons.join()).toMatch(reason);
  });

  it.each<[string, Partial<GeneratorResult>, RegExp]>([
    [
      'an error of the ledger',
      ledger({ valid: false, errors: [{ type: 'lost', count: 2, examples: ['message 7'] }] }),
      /lost × 2: message 7/,
    ],
    [
      'an unanswered send',
      ledger({ acknowledged: 999, unanswered: 1 }),
      /1 sends were never answered/,
    ],
    ['a refusal for good', { failed: { forbidden: 1 } }, /forbidden/],
    [
      'a closed socket',
      { closed: [{ device: 1, code: 4008, reason: 'too slow' }] },
      /4008 too slow/,
    ],
    ['nothing acknowledged', ledger({ acknowledged: 0 }), /nothing was acknowledged/],
    ['readers who did not read', receipts({ reads: 0 }), /nobody read/],
    ['reads that were not shown', receipts({ unseen: 2 }), /2 last reads were never shown/],
    [
      'a change that was never seen',
      presence({ errors: [{ type: 'lost', count: 1, examples: ['user 1 never saw 2 (state)'] }] }),
      /presence lost × 1: user 1 never saw 2/,
    ],
    ['presence that does not change', presence({ runChanges: 0 }), /nobody changed/],
    [
      'blind watchers',
      presence({ sights: { seen: 0, excused: 9, lost: 0 } }),
      /no watcher saw a change/,
    ],
    ['last words that nobody checked', presence({ compared: 0 }), /no last word was compared/],
    ['receipts of nothing', receipts({ invented: 1 }), /1 receipts show what nobody read/],
  ])('fails %s, void or not', (_, change, reason) => {
    for (const share of [0.3, 0.9]) {
      const run = result(change);
      const verdict = judge(run, alone(run, share));
      expect(verdict.outcome).toBe('FAILED');
      expect(verdict.reasons.join()).toMatch(reason);
    }
  });

  const good: KeptUp = { name: 'g', share: 0.3, sent: 500, scheduled: 500, lagP99Ms: 1 };

  it.each<[string, Partial<KeptUp>, RegExp]>([
    ['is busy', { share: 0.8 }, /^generator-2: the generator used 80\.0 % of a core/],
    ['is late', { lagP99Ms: 30 }, /^generator-2: the generator was late: p99 30\.0 ms/],
    ['sends too little', { sent: 400 }, /^generator-2: only 80\.0 % of the schedule/],
  ])('voids a run of several of whose generators one %s', (_, change, reason) => {
    const generators = [good, { ...good, ...change }].map((one, i) => {
      return { ...one, name: `generator-${i + 1}` };
    });
    const { outcome, reasons } = judge(result(), generators);
    expect(outcome).toBe('VOID');
    expect(reasons).toEqual([expect.stringMatching(reason)]);
  });
});
