import { Latency, summaryOf } from './generator/latency';
import type { GeneratorAccount } from './generator/protocol';
import { Ledger } from './ledger';
import { mergeReports } from './ledger-report';
import { mergeConnects, mergeDrained, mergeResults } from './merge-results';

type Part = GeneratorAccount['result'];

function latency(...ms: number[]): Part['scheduleLag'] {
  const all = new Latency();
  ms.forEach((one) => all.record(one));
  return all.counts();
}

/** What happens in a conversation of two: positions as acknowledged, pushed and stored; null: it is not. */
interface Message {
  acked: number;
  pushed: (number | null)[];
  stored: number | null;
}

/** A ledger over some of the conversations, whose devices are `2 × conversation` and the next. */
function ledgerOf(messages: readonly Message[][], conversations: readonly number[]): Ledger {
  const ledger = new Ledger(
    conversations.map((conversation) => [2 * conversation, 2 * conversation + 1]),
    messages.flat().length,
  );
  for (const conversation of conversations) {
    for (const { acked, pushed, stored } of messages[conversation]!) {
      const message = ledger.send(2 * conversation);
      ledger.ack(message, acked);
      pushed.forEach((position, slot) => {
        if (position !== null) {
          ledger.push(2 * conversation + slot, message, position, Number.NaN);
        }
      });
      if (stored !== null) ledger.stored(message, stored);
    }
  }
  return ledger;
}

const right = (position: number): Message => {
  return { acked: position, pushed: [position, position], stored: position };
};

const STORY: Message[][] = [
  [right(10), right(11), { acked: 12, pushed: [12, null], stored: 12 }],
  [right(10), { acked: 13, pushed: [13, 13], stored: null }, right(9)],
  [right(20), { acked: 20, pushed: [20, 20], stored: 20 }],
  [{ acked: 5, pushed: [5, 6], stored: 5 }, right(7), right(7)],
];

function counted({ errors, ...counts }: ReturnType<Ledger['check']>) {
  const byType = errors.map(({ type, count }) => [type, count] as const);
  return { ...counts, errors: Object.fromEntries(byType) };
}

describe('mergeReports', () => {
  it.each([
    [[[0], [1], [2], [3]]],
    [
      [
        [0, 1],
        [2, 3],
      ],
    ],
    [[[0, 1, 2, 3]]],
  ])('finds in the parts %j what one ledger finds in all of it', (parts) => {
    const reports = parts.map((part) => ledgerOf(STORY, part).check({ storedKnown: true }));
    const whole = ledgerOf(STORY, [0, 1, 2, 3]).check({ storedKnown: true });
    const merged = mergeReports(reports);
    expect(counted(merged)).toEqual(counted(whole));
    expect(Object.keys(counted(whole).errors)).toEqual(
      expect.arrayContaining(['lost', 'not_stored', 'push_order', 'shared_position']),
    );
  });

  it('says which generator saw an error, and not too many of them', () => {
    const lost = { acked: 3, pushed: [3, null], stored: 3 };
    const bad = Array.from({ length: 6 }, (_, i) => ({ ...lost, acked: i, pushed: [i, null] }));
    const reports = [[0], [1]].map((part) =>
      ledgerOf([bad, bad], part).check({ storedKnown: false }),
    );
    const [error] = mergeReports(reports).errors;
    expect(error).toMatchObject({ type: 'lost', count: 12 });
    expect(error!.examples).toHaveLength(8);
    expect(error!.examples[0]).toMatch(/^generator 1: message 0 /);
    expect(error!.examples[7]).toMatch(/^generator 2: message 1 /);
    expect(mergeReports([reports[0]!])).toEqual(reports[0]);
  });

  it('is valid when all of them are', () => {
    const good = ledgerOf([[right(1)]], [0]).check({ storedKnown: true });
    const bad = ledgerOf([[{ ...right(1), stored: 2 }]], [0]).check({ storedKnown: true });
    expect(
      [
        [good, good],
        [good, bad],
      ].map((all) => mergeReports(all).valid),
    ).toEqual([true, false]);
  });
});

function part(change: Partial<Part> = {}): Part {
  return {
    scheduled: 10,
    runScheduled: 8,
    runSent: 7,
    latency: { sent: latency(1), delivered: latency(2, 3), stored: latency(30) },
    slices: [latency(2), latency(3)],
    scheduleLag: latency(0.1),
    refused: { busy: 1 },
    failed: {},
    resent: 1,
    held: 2,
    pending: 3,
    resyncs: 4,
    foreign: 5,
    closed: [],
    undeliveredAtEnd: 6,
    deliveredAfterMs: 100,
    ledger: ledgerOf([[right(1)]], [0]).check({ storedKnown: true }),
    receipts: { reads: 3, seen: latency(5), unseen: 0, invented: 1 },
    presence: null,
    ...change,
  };
}

describe('mergeResults', () => {
  it('adds up what was counted, and keeps whole histograms', () => {
    const other = part({
      scheduled: 20,
      latency: { sent: latency(9), delivered: latency(90, 91, 92), stored: latency() },
      slices: [latency(), latency(90, 91, 92)],
      refused: { busy: 2, unavailable: 1 },
      failed: { forbidden: 4 },
      closed: [{ device: 7, code: 4008, reason: 'too slow' }],
      deliveredAfterMs: 300,
      receipts: { reads: 1, seen: latency(500), unseen: 2, invented: 0 },
    });
    const merged = mergeResults([part(), other]);
    expect(merged).toMatchObject({
      scheduled: 30,
      runScheduled: 16,
      runSent: 14,
      refused: { busy: 3, unavailable: 1 },
      failed: { forbidden: 4 },
      resent: 2,
      held: 4,
      pending: 6,
      resyncs: 8,
      foreign: 10,
      closed: [{ device: 7, code: 4008, reason: 'too slow' }],
      undeliveredAtEnd: 12,
      deliveredAfterMs: 300,
      ledger: { valid: true, acknowledged: 2 },
      presence: null,
    });
    expect(merged.latency).toEqual({
      sent: summaryOf([latency(1, 9)]),
      delivered: summaryOf([latency(2, 3, 90, 91, 92)]),
      stored: summaryOf([latency(30)]),
    });
    const slices = [[latency(2)], [latency(3, 90, 91, 92)]].map(summaryOf);
    expect(merged.slices).toEqual(slices);
    const seen = summaryOf([latency(5, 500)]);
    expect(merged.receipts).toEqual({ reads: 4, seen, unseen: 2, invented: 1 });
  });

  it('does not know when everything was there if one part does not', () => {
    const never = part({ deliveredAfterMs: null });
    expect(mergeResults([part(), never]).deliveredAfterMs).toBeNull();
    expect(mergeResults([never, part()]).deliveredAfterMs).toBeNull();
  });
});

it('mergeConnects adds sockets up by gateway', () => {
  const one = { open: 2, byGateway: { a: 1, b: 1 }, misplaced: 0, limits: { frame: 9 }, ms: 5 };
  const other = { open: 3, byGateway: { b: 3 }, misplaced: 1, limits: { frame: 9 }, ms: 4 };
  const byGateway = { a: 1, b: 4 };
  const both = { open: 5, byGateway, misplaced: 1, limits: { frame: 9 }, ms: 5 };
  expect(mergeConnects([one, other])).toEqual(both);
});

it('mergeDrained takes the highest position of each partition', () => {
  const one = { highest: [5, -1, 7], endMs: 10 };
  const other = { highest: [4, -1, 9], endMs: 10 };
  expect(mergeDrained([one, other])).toEqual({ highest: [5, -1, 9], endMs: 10 });
});
