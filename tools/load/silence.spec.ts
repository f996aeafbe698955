import type { HistoryEvent, NewEvent } from './history';
import { type Delay, delays, longestSilence, normalAfter, quantile } from './silence';

const at = (ms: number, event: NewEvent): HistoryEvent => ({ i: 0, t: ms * 1e6, ...event });
const sent = (ms: number, cid: string, c = 'c'): HistoryEvent =>
  at(ms, { k: 'invoke', f: 'send', u: 'ann', c, cid });
const shown = (ms: number, cid: string, u = 'bob', c = 'c'): HistoryEvent =>
  at(ms, { k: 'obs', f: 'emit', u, d: u, c, cid, seq: '1' });

const window = { fromNs: 0, toNs: 1_000e6 };

describe('longestSilence', () => {
  const talk = [
    sent(10, 'a'),
    shown(20, 'a'),
    sent(30, 'b'),
    sent(50, 'c'),
    shown(300, 'b'),
    shown(310, 'c'),
    sent(800, 'd'),
    shown(820, 'd'),
  ];

  it('is the longest time in which somebody had sent and nobody was shown anything', () => {
    expect(longestSilence(talk, window)).toEqual({ ms: 270, atNs: 30e6, conversation: 'c' });
  });

  it('ends with whatever is shown, also when more waits', () => {
    const slow = [sent(0, 'a'), sent(1, 'b'), shown(100, 'a'), shown(150, 'b')];
    expect(longestSilence(slow, window)).toMatchObject({ ms: 100, atNs: 0 });
  });

  it('is not where nobody has sent', () => {
    expect(longestSilence([], window)).toEqual({ ms: 0, atNs: 0 });
    expect(longestSilence(talk.slice(4), window)).toMatchObject({ ms: 20, atNs: 800e6 });
  });

  it('is not ended by what the sender is shown, and counts up to the end of the window', () => {
    const alone = [sent(100, 'a'), shown(110, 'a', 'ann')];
    expect(longestSilence(alone, window)).toMatchObject({ ms: 900, atNs: 100e6 });
    expect(longestSilence(alone, { fromNs: 400e6, toNs: 600e6 })).toMatchObject({ ms: 200 });
  });

  it('counts only inside of the window', () => {
    expect(longestSilence(talk, { fromNs: 200e6, toNs: 1_000e6 }).ms).toBe(100);
    expect(longestSilence(talk, { fromNs: 0, toNs: 200e6 }).ms).toBe(170);
    expect(longestSilence(talk, { fromNs: 320e6, toNs: 790e6 }).ms).toBe(0);
  });

  it.each(['fail', 'info'] as const)(
    'is over with a send that ended without being sent: %s',
    (k) => {
      const ended = [sent(0, 'a'), at(10, { k, f: 'send', u: 'ann', c: 'c', cid: 'a' })];
      expect(longestSilence(ended, window).ms).toBe(0);
    },
  );

  it('is each conversation’s own', () => {
    const two = [...talk, sent(0, 'x', 'd'), shown(500, 'x', 'bob', 'd')];
    expect(longestSilence(two, window)).toMatchObject({ ms: 500, conversation: 'd' });
    const one = { ...window, conversations: new Set(['c']) };
    expect(longestSilence(two, one)).toMatchObject({ ms: 270, conversation: 'c' });
  });

  it('reads histories that show several messages at once', () => {
    const m = [{ cid: 'a', seq: '1', u: 'ann', v: 'x' }];
    const list = [sent(0, 'a'), at(40, { k: 'obs', f: 'frame', u: 'bob', d: 'bob', c: 'c', m })];
    expect(longestSilence(list, window).ms).toBe(40);
  });
});

describe('delays', () => {
  it('are told of each message that was sent in the window, also when it is shown later', () => {
    const talk = [
      sent(10, 'a'),
      shown(20, 'a'),
      shown(25, 'a', 'cat'),
      sent(90, 'b'),
      sent(95, 'c'),
    ];
    const all = delays([...talk, shown(190, 'b')], { fromNs: 50e6, toNs: 100e6 });
    expect(all).toEqual([{ sentNs: 90e6, ms: 100, conversation: 'c' }]);
  });
});

describe('normalAfter', () => {
  const delay = (second: number, ms: number): Delay => ({
    sentNs: second * 1e9 + 1,
    ms,
    conversation: 'c',
  });
  const when = { sinceNs: 10e9, toNs: 14e9, limitMs: 100 };

  it('is the first second from which on no p99 is too high', () => {
    const all = [delay(9, 900), delay(10, 900), delay(11, 20), delay(12, 101), delay(13, 100)];
    expect(normalAfter(all, when)).toBe(3_000);
    expect(normalAfter([delay(9, 900), delay(10, 10)], when)).toBe(0);
  });

  it('is never when the last second is too slow', () => {
    expect(normalAfter([delay(13, 900)], when)).toBeNull();
  });
});

describe('quantile', () => {
  it('is a value that occurs', () => {
    expect(quantile([3, 1, 2], 0.99)).toBe(3);
    expect(quantile([3, 1, 2, 4], 0.5)).toBe(3);
    expect(quantile([], 0.5)).toBe(0);
  });
});
