import type { Presence } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { PEER, THIRD } from '../testing/factories';
import { FakeClock } from '../testing/fake-clock';
import { InvalidCallError } from './errors';
import { ASK_MS, WatchedPresence } from './presence';

const AT = '2026-11-24T09:00:00.000Z';
const word = (userId: string, version: number, more: Partial<Presence> = {}): Presence => ({
  userId,
  status: 'online',
  lastSeenAt: AT,
  activeAt: AT,
  version,
  ...more,
});

function setUp(features: string[] | null = ['presence']) {
  const clock = new FakeClock();
  const lists: string[][] = [];
  const refs: string[] = [];
  const asked: string[][] = [];
  const news: Presence[] = [];
  const refused: string[] = [];
  let answer = (userIds: readonly string[]): Promise<{ items: Presence[] }> =>
    Promise.resolve({ items: userIds.map((userId) => word(userId, 1)) });
  const presence = new WatchedPresence({
    clock,
    ask: (userIds) => {
      asked.push([...userIds]);
      return answer(userIds);
    },
    send: (text) => {
      const { type, ref, userIds } = JSON.parse(text) as Record<string, unknown>;
      expect(type).toBe('watch');
      refs.push(ref as string);
      return lists.push(userIds as string[]) > 0;
    },
    emit: (_name, event) => void news.push(event),
    refused: (detail) => void refused.push(detail),
  });
  if (features) presence.connected(features, LIMITS.watch);
  const answerWith = (next: typeof answer): void => {
    answer = next;
  };
  const error = (ref: string, retryable: boolean, retryAfterMs?: number) =>
    presence.refused({
      type: 'error',
      ref,
      code: retryable ? 'busy' : 'invalid_frame',
      detail: 'no',
      retryable,
      retryAfterMs,
    });
  return { clock, presence, lists, refs, asked, news, refused, answerWith, error };
}

describe('a watch list', () => {
  it('is said at once, and joined with those that follow within a second', () => {
    const { clock, presence, lists } = setUp();
    presence.watch([PEER, PEER]);
    presence.watch([THIRD]);
    presence.watch([THIRD, PEER]);
    expect(lists).toEqual([[PEER]]);
    clock.advance(1_000);
    expect(lists).toEqual([[PEER], [THIRD, PEER]]);
    presence.watch([PEER, THIRD]);
    clock.advance(60_000);
    expect(lists).toHaveLength(2);
    presence.watch([]);
    expect(lists.at(-1)).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('is said to each new connection, unless it is empty', () => {
    const { presence, lists } = setUp(null);
    presence.connected(['presence'], 500);
    expect(lists).toEqual([]);
    presence.watch([PEER]);
    presence.disconnected();
    presence.watch([THIRD]);
    expect(lists).toEqual([[PEER]]);
    presence.connected(['presence'], 500);
    expect(lists).toEqual([[PEER], [THIRD]]);
  });

  it('may be as long as the server says', () => {
    const { presence, lists } = setUp(null);
    presence.connected(['presence'], 2);
    presence.watch(['a', 'b', 'b']);
    expect(() => presence.watch(['a', 'b', 'c'])).toThrow(InvalidCallError);
    expect(lists).toEqual([['a', 'b']]);
  });

  it('is said again when it was refused for now, and only the last one', () => {
    const { clock, presence, lists, refs, refused, error } = setUp();
    presence.watch([PEER]);
    expect(error(refs[0]!, true, 3_000)).toBe(true);
    clock.advance(2_999);
    expect(lists).toHaveLength(1);
    clock.advance(1);
    expect(lists).toEqual([[PEER], [PEER]]);
    expect(error(refs[0]!, true)).toBe(true);
    expect(clock.pending).toBe(0);
    expect(error(refs[1]!, false)).toBe(true);
    expect([clock.pending, refused]).toEqual([0, ['invalid_frame: no']]);
    expect(error('something else', true)).toBe(false);
  });
});

describe('words about a user', () => {
  it('count by their version, and are told when they differ', () => {
    const { presence, news } = setUp();
    presence.watch([PEER]);
    presence.take(word(PEER, 5));
    presence.take(word(PEER, 4, { status: 'offline' }));
    presence.take(word(PEER, 5, { status: 'away' }));
    presence.take(word(PEER, 6));
    expect(presence.of(PEER)).toEqual(word(PEER, 6));
    presence.take(word(PEER, 7, { status: 'away' }));
    expect(news.map(({ version }) => version)).toEqual([5, 7]);
  });

  it('about somebody who is not watched are nothing, and are forgotten with the list', () => {
    const { presence, news } = setUp();
    presence.take(word(PEER, 1));
    presence.watch([PEER]);
    presence.take(word(PEER, 2));
    presence.watch([THIRD]);
    presence.take(word(PEER, 3));
    expect([presence.of(PEER), presence.of(THIRD), news.length]).toEqual([undefined, undefined, 1]);
  });

  it('stay over a lost connection', () => {
    const { presence, news } = setUp();
    presence.watch([PEER]);
    presence.take(word(PEER, 2));
    presence.disconnected();
    expect(presence.of(PEER)?.version).toBe(2);
    presence.connected(['presence'], 500);
    presence.take(word(PEER, 2));
    expect(news).toHaveLength(1);
  });
});

describe('a server without watch', () => {
  it('is asked at once, then once a minute, a hundred at a time', async () => {
    const { clock, presence, lists, asked, news } = setUp(['receipts']);
    const all = Array.from({ length: LIMITS.pageItems + 1 }, (_, n) => `user-${n}`);
    presence.watch(all);
    await clock.pass(0);
    expect(asked.map((ids) => ids.length)).toEqual([LIMITS.pageItems, 1]);
    expect([lists.length, news.length]).toEqual([0, all.length]);
    await clock.pass(ASK_MS - 1, 10_000);
    expect(asked).toHaveLength(2);
    await clock.pass(1);
    expect(asked).toHaveLength(4);
    expect(news).toHaveLength(all.length);
    presence.disconnected();
    expect(clock.pending).toBe(0);
  });

  it('may fail, and answer late: the next minute counts, and the list of now', async () => {
    const { clock, presence, asked, news, answerWith } = setUp([]);
    answerWith(() => Promise.reject(new Error('away')));
    presence.watch([PEER]);
    await clock.pass(ASK_MS, 10_000);
    expect([asked.length, news]).toEqual([2, []]);
    let late = (_items: { items: Presence[] }): void => undefined;
    answerWith(() => new Promise((resolve) => (late = resolve)));
    await clock.pass(ASK_MS, 10_000);
    answerWith(() => Promise.resolve({ items: [] }));
    presence.watch([THIRD]);
    late({ items: [word(PEER, 1)] });
    await clock.pass(0);
    expect(news).toEqual([]);
  });
});
