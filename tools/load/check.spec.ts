import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CheckScope, type HistoryErrorType, checkHistory } from './check';
import {
  type HistoryEntry,
  type HistoryEvent,
  HistoryWriter,
  type NewEvent,
  readHistory,
} from './history';

const scope: CheckScope = {
  members: new Map([['c', ['ann', 'bob']]]),
  devices: new Map([
    ['ann', ['ann-1', 'ann-fresh']],
    ['bob', ['bob-1']],
  ]),
  minAcknowledged: 2,
};

const ENTRIES: HistoryEntry[] = [
  ['9', 'm1'],
  ['10', 'm2'],
];

function numbered(events: readonly NewEvent[]): HistoryEvent[] {
  return events.map((event, i) => ({ i, t: i * 1e6, ...event }));
}

/** Ann and Bob send one message each; everything is everywhere, in order. */
function good(): NewEvent[] {
  const send = { f: 'send', c: 'c' } as const;
  return [
    { k: 'invoke', ...send, u: 'ann', d: 'ann-1', cid: 'm1', v: 'hello' },
    { k: 'ok', ...send, u: 'ann', d: 'ann-1', cid: 'm1', seq: '9' },
    { k: 'invoke', ...send, u: 'bob', d: 'bob-1', cid: 'm2', v: 'hi' },
    { k: 'info', ...send, u: 'bob', d: 'bob-1', cid: 'm2' },
    { k: 'ok', ...send, u: 'bob', d: 'bob-1', cid: 'm2', seq: '10' },
    ...['ann-1', 'bob-1'].flatMap((d): NewEvent[] => {
      const emit = { k: 'obs', f: 'emit', u: d.slice(0, 3), d, c: 'c' } as const;
      return [
        { ...emit, cid: 'm1', seq: '9', v: 'hello' },
        { ...emit, cid: 'm2', seq: '10', v: 'hi' },
      ];
    }),
    { k: 'obs', f: 'page', c: 'c', v: ENTRIES },
    ...['ann-1', 'ann-fresh', 'bob-1'].map((d): NewEvent => ({
      k: 'obs',
      f: 'final',
      u: d.slice(0, 3),
      d,
      c: 'c',
      v: ENTRIES,
    })),
  ];
}

function final(d: string, v: HistoryEntry[]): NewEvent {
  return { k: 'obs', f: 'final', d, c: 'c', v };
}

function check(events: readonly NewEvent[]): ReturnType<typeof checkHistory> {
  return checkHistory(numbered(events), scope);
}

describe('checkHistory', () => {
  it('passes a good history', () => {
    expect(check(good())).toEqual({
      valid: true,
      errors: [],
      counts: {},
      acknowledged: 2,
      unknownSends: 0,
      rawDuplicates: 0,
    });
  });

  it('gives no verdict when too little happened', () => {
    expect(checkHistory([], scope).valid).toBe('unknown');
    expect(checkHistory(numbered(good()), { ...scope, minAcknowledged: 3 }).valid).toBe('unknown');
  });

  it('counts raw duplicates without blame', () => {
    const frame: NewEvent = { k: 'obs', f: 'frame', d: 'bob-1', c: 'c', cid: 'm1', seq: '9' };
    const report = check([...good(), frame, { ...frame, seq: '14' }]);
    expect(report).toMatchObject({ valid: true, rawDuplicates: 1 });
  });

  it('lets a restarted device emit again', () => {
    const again: NewEvent = {
      k: 'obs',
      f: 'emit',
      d: 'bob-1',
      inc: 1,
      c: 'c',
      cid: 'm1',
      seq: '9',
    };
    expect(check([...good(), again]).valid).toBe(true);
  });

  it('takes an unknown send either way', () => {
    const events = good().filter(({ k, cid }) => !(k === 'ok' && cid === 'm2'));
    const report = checkHistory(numbered(events), { ...scope, minAcknowledged: 1 });
    expect(report).toMatchObject({ valid: true, acknowledged: 1, unknownSends: 1 });
  });

  it('falls back to what a device has emitted when it was not read at rest', () => {
    const events = good().filter(({ f, d }) => !(f === 'final' && d === 'bob-1'));
    expect(check(events).valid).toBe(true);
  });

  const emit: NewEvent = { k: 'obs', f: 'emit', u: 'bob', d: 'bob-1', c: 'c', cid: 'm1', seq: '9' };
  const without = (keep: (event: NewEvent) => boolean): NewEvent[] => good().filter(keep);
  const bad: [HistoryErrorType, string, NewEvent[]][] = [
    [
      'lost',
      'on a device',
      [...without(({ d, f }) => !(f === 'final' && d === 'bob-1')), final('bob-1', [ENTRIES[0]!])],
    ],
    ['lost', 'on a fresh device', without(({ d }) => d !== 'ann-fresh')],
    [
      'lost',
      'in the history',
      [...without(({ f }) => f !== 'page'), { k: 'obs', f: 'page', c: 'c', v: [ENTRIES[1]!] }],
    ],
    ['duplicate', 'emitted', [...good(), emit]],
    ['duplicate', 'in the history', [...good(), { k: 'obs', f: 'page', c: 'c', v: [ENTRIES[1]!] }]],
    ['invented', 'id', [...good(), { ...emit, cid: 'm3', seq: '11' }]],
    ['invented', 'text', [...good(), { ...emit, inc: 1, v: 'hell' }]],
    ['invented', 'conversation', [...good(), { ...emit, c: 'd' }]],
    ['invented', 'receiver', [...good(), { ...emit, u: 'eve', d: 'eve-1' }]],
    [
      'failed_but_seen',
      'refused',
      [
        ...good(),
        { k: 'invoke', f: 'send', c: 'c', cid: 'm3' },
        { k: 'fail', f: 'send', c: 'c', cid: 'm3' },
        { ...emit, cid: 'm3', seq: '11' },
      ],
    ],
    ['position_conflict', 'one id, two positions', [...good(), { ...emit, inc: 1, seq: '11' }]],
    ['position_conflict', 'one position, two ids', [...good(), { ...emit, inc: 1, cid: 'm2' }]],
    [
      'position_conflict',
      'told the sender',
      [...good(), { k: 'ok', f: 'send', c: 'c', cid: 'm1', seq: '12' }],
    ],
    [
      'order',
      'on a device',
      [
        ...without(({ d, f }) => !(f === 'final' && d === 'bob-1')),
        final('bob-1', [...ENTRIES].reverse()),
      ],
    ],
    [
      'order',
      'in the history',
      [
        ...without(({ f }) => f !== 'page'),
        { k: 'obs', f: 'page', c: 'c', v: [...ENTRIES].reverse() },
      ],
    ],
    [
      'sending_order',
      'two messages of one device',
      [
        { k: 'invoke', f: 'send', c: 'c', u: 'ann', d: 'ann-1', cid: 'm2' },
        ...without(({ f, cid }) => !(f === 'send' && cid === 'm2')),
      ],
    ],
    [
      'different_copies',
      'a device without an unknown send',
      [
        ...good()
          .filter(({ k, cid }) => !(k === 'ok' && cid === 'm2'))
          .filter(({ d, f }) => !(f === 'final' && d === 'bob-1')),
        final('bob-1', [ENTRIES[0]!]),
      ],
    ],
  ];
  it.each(bad)('finds: %s (%s)', (type, _, events) => {
    const report = check(events);
    expect(report.valid).toBe(false);
    expect(Object.keys(report.counts)).toContain(type);
  });

  it('keeps eight examples and counts all', () => {
    const many = Array.from({ length: 20 }, (): NewEvent => emit);
    const report = check([...good(), ...many]);
    expect(report.counts.duplicate).toBe(20);
    expect(report.errors.filter(({ type }) => type === 'duplicate')).toHaveLength(8);
  });
});

describe('HistoryWriter', () => {
  it('writes lines that read back the same', () => {
    const dir = mkdtempSync(join(tmpdir(), 'tidings-history-'));
    try {
      let now = 5;
      const writer = new HistoryWriter(join(dir, 'a', 'run.jsonl'), () => now++);
      for (const event of good()) writer.record(event);
      writer.close();
      writer.close();
      expect(writer.events[0]).toMatchObject({ i: 0, t: 5, k: 'invoke' });
      expect(readHistory(writer.file)).toEqual(writer.events);
      expect(() => writer.record(good()[0]!)).toThrow('closed');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
