import { type ActKind, PresenceLedger, type Word, sameWord } from './presence-ledger';

const AT = '2026-11-24T09:00:00.000Z';
const LATER = '2026-11-24T09:00:01.000Z';

function word(status: Word['status'], wallMs: number, more: Partial<Word> = {}): Word {
  return { status, lastSeenAt: AT, activeAt: AT, version: wallMs * 1000, ...more };
}

/** Three users, each of whom watches the next one; 2 is online, and 1 has been told so. */
function setUp() {
  const sights: [ActKind, number][] = [];
  const ledger = new PresenceLedger(3, [1], (kind, ms) => void sights.push([kind, ms]));
  const act = (status: Word['status'], ms: number, kind: ActKind = 'state'): void =>
    ledger.act(2, { kind, status, atMs: ms, wallMs: ms, counts: true });
  const told = (status: Word['status'], wallMs: number, nowMs: number, more?: Partial<Word>) =>
    ledger.told(1, 2, word(status, wallMs, more), nowMs);
  act('online', 100, 'connect');
  ledger.watches(1, 200);
  told('online', 210, 220);
  return { ledger, sights, act, told };
}

describe('PresenceLedger', () => {
  it('has everybody watch, and be watched by, as many', () => {
    const ledger = new PresenceLedger(5, [1, 3], () => undefined);
    const all = [0, 1, 2, 3, 4].map((user) => ledger.watchedBy(user));
    expect(all[3]).toEqual([4, 1]);
    for (const user of [0, 1, 2, 3, 4]) {
      expect(all.flat().filter((one) => one === user)).toHaveLength(2);
    }
  });

  it('measures a change from the act to the word that shows it, and what lay before the list not', () => {
    const { ledger, sights, act, told } = setUp();
    act('away', 1_000);
    expect(ledger.waiting(1_010)).toBe(1);
    told('away', 1_020, 1_030);
    act('offline', 4_000, 'close');
    told('offline', 4_020, 4_050);
    expect(sights).toEqual([
      ['state', 30],
      ['close', 50],
    ]);
    expect(ledger.waiting(4_060)).toBe(0);
    expect(ledger.end(4_100)).toEqual({ seen: 2, excused: 0, lost: 0 });
    expect(ledger.wrong()).toEqual([]);
  });

  it('takes a word that shows a later act for all before it', () => {
    const { ledger, sights, act, told } = setUp();
    act('away', 1_000);
    act('offline', 1_500, 'close');
    told('offline', 2_000, 2_010);
    expect(sights).toEqual([
      ['state', 1_010],
      ['close', 510],
    ]);
    expect(ledger.end(3_000)).toEqual({ seen: 2, excused: 0, lost: 0 });
  });

  it('takes no word that was said before an act for it, though it has the same status', () => {
    const { ledger, sights, act, told } = setUp();
    act('away', 1_000);
    act('online', 4_000);
    act('away', 7_000);
    told('away', 1_020, 7_500);
    expect(sights).toEqual([['state', 6_500]]);
    told('online', 7_510, 7_510);
    told('away', 7_520, 7_520);
    expect(sights.map(([, ms]) => ms)).toEqual([6_500, 3_510, 520]);
    expect(ledger.wrong()).toEqual([]);
  });

  it('loses what was never seen, and what was seen after more than ten seconds', () => {
    const { ledger, sights, act, told } = setUp();
    act('away', 1_000);
    expect(ledger.waiting(11_000)).toBe(1);
    expect(ledger.waiting(11_001)).toBe(0);
    told('away', 1_020, 11_001);
    act('online', 20_000);
    expect(ledger.end(20_500)).toEqual({ seen: 0, excused: 0, lost: 2 });
    // what is late makes the quantiles no better
    expect(sights).toEqual([['state', 10_001]]);
    expect(ledger.wrong()).toMatchObject([
      {
        type: 'lost',
        count: 2,
        examples: ['user 1 saw 2 only after 10001 ms (state)', 'user 1 never saw 2 (state)'],
      },
    ]);
  });

  it('a change and its taking back that nobody was told of are lost both', () => {
    const { ledger, act } = setUp();
    act('away', 1_000);
    act('online', 4_000);
    expect(ledger.end(20_000)).toMatchObject({ lost: 2 });
  });

  it('excuses what a watcher has not seen who leaves, unless it was late already', () => {
    const { ledger, act } = setUp();
    act('away', 1_000);
    act('online', 9_000);
    ledger.leaves(1, 11_500);
    expect(ledger.end(30_000)).toEqual({ seen: 0, excused: 1, lost: 1 });
  });

  it('begins anew with the next list of a watcher: an older word is no error, and nothing before it is waited for', () => {
    const { ledger, sights, act, told } = setUp();
    ledger.leaves(1, 900);
    told('offline', 950, 950);
    act('away', 1_000);
    ledger.watches(1, 1_010);
    expect(ledger.unanswered()).toBe(1);
    // the act is still on its way
    told('online', 1_012, 1_015);
    expect(ledger.unanswered()).toBe(0);
    told('away', 1_030, 1_040);
    act('online', 4_000);
    told('online', 4_010, 4_020);
    expect(sights).toEqual([['state', 20]]);
    expect(ledger.end(5_000)).toEqual({ seen: 1, excused: 0, lost: 0 });
    expect(ledger.wrong()).toEqual([]);
  });

  it('waits for the answer to a list, and loses it', () => {
    const { ledger } = setUp();
    ledger.watches(0, 1_000);
    expect(ledger.waiting(1_500)).toBe(1);
    expect(ledger.waiting(11_001)).toBe(0);
    expect(ledger.end(12_000)).toMatchObject({ lost: 1 });
    expect(ledger.wrong()).toMatchObject([{ examples: ['user 0 was never told of 1'] }]);
  });

  it('takes a repetition, and passes over what is not newer', () => {
    const { ledger, told } = setUp();
    told('online', 300, 310);
    told('away', 300, 320);
    expect(ledger.lastWords(1)).toEqual([{ user: 2, word: word('online', 300) }]);
    expect(ledger.lastWords(0)).toEqual([]);
    expect(ledger.wrong()).toEqual([]);
  });

  it.each<[string, (told: ReturnType<typeof setUp>) => void]>([
    ['what nobody did', ({ told }) => told('offline', 500, 510)],
    [
      'what was over',
      ({ act, told }) => {
        act('away', 1_000);
        told('away', 1_010, 1_020);
        act('online', 4_000);
        told('online', 4_010, 4_020);
        told('away', 4_030, 4_040);
      },
    ],
    [
      'what nobody had done yet',
      ({ act, told }) => {
        act('away', 1_000);
        told('away', 999, 1_020);
      },
    ],
    ['somebody who is not on the list', ({ ledger }) => ledger.told(1, 0, word('online', 1), 1)],
    ['somebody unknown', ({ ledger }) => ledger.told(1, -1, word('online', 1), 1)],
  ])('finds a word about %s', (_, does) => {
    const world = setUp();
    does(world);
    expect(world.ledger.wrong()).toMatchObject([{ type: 'invented', count: 1 }]);
  });
});

describe('sameWord', () => {
  it.each<[Word, Word, boolean]>([
    [word('online', 1), word('online', 2, { activeAt: LATER, lastSeenAt: LATER }), true],
    [word('online', 1), word('away', 1), false],
    [word('away', 1), word('away', 2, { lastSeenAt: LATER }), true],
    [word('away', 1), word('away', 1, { activeAt: LATER }), false],
    [word('offline', 1), word('offline', 2, { activeAt: LATER }), true],
    [word('offline', 1), word('offline', 1, { lastSeenAt: LATER }), false],
  ])('of %j and %j: %s', (one, other, same) => {
    expect(sameWord(one, other)).toBe(same);
  });
});
