import { EVERYONE_ID } from '@tidings/protocol/ids';
import { NO_CONTENT_HASH } from '@tidings/common/log-events/events';
import { BASE, changeAt, editAt, messageAt, uuid } from '../../test/entries';
import { Draft } from './draft';
import type { ChangeEntry, LogEntry, MessageEntry } from './entry';
import { membership, type Member } from './members';
import { emptyState, type PartitionState } from './partition-state';

const at = (offset: number) => BASE + BigInt(offset);
const direct = (...users: number[]) =>
  membership(
    'direct',
    1,
    users.map((n): Member => ({ userId: uuid(n), from: 0n, until: null })),
  );

function stateFrom(start: number, liveFrom = start): PartitionState {
  return emptyState({
    partition: 0,
    base: BASE,
    start: BigInt(start),
    liveFrom: BigInt(liveFrom),
  });
}

function drafted(state: PartitionState, ...entries: LogEntry[]): Draft {
  const draft = new Draft(state);
  entries.forEach((entry) => draft.admit(entry));
  return draft;
}

/** Routes and commits; `[offset, previous]` of what was pushed. */
function routed(state: PartitionState, ...entries: LogEntry[]): [number, unknown][] {
  const draft = drafted(state, ...entries);
  const pushes = draft.route(0);
  draft.commit(entries.at(-1)!.offset + 1n);
  return pushes.map(({ entry, frame }) => [
    Number(entry.offset),
    (JSON.parse(frame) as { previous: unknown }).previous,
  ]);
}

/** An entry whose event throws when this field of it is read. */
function broken<E extends LogEntry>(entry: E, field: string): E {
  const event = { ...entry.event };
  Object.defineProperty(event, field, {
    get: () => {
      throw new TypeError('a defect');
    },
  });
  return { ...entry, event };
}

describe('what is written to everybody', () => {
  it('is for all, whoever that is, and asks storage for the entry before the first alone', () => {
    const state = stateFrom(10);
    const first = drafted(state, messageAt(10, { talk: EVERYONE_ID }));
    expect(first.missing()).toEqual([{ conversationId: EVERYONE_ID, members: false }]);
    expect(first.blocked()).toBe(false);
    first.learn(EVERYONE_ID, { membership: membership('everyone', 1, []), previous: 0n });
    expect(first.route(0)).toMatchObject([{ toAll: true, userIds: [], receiver: null }]);
    first.commit(11n);
    const second = drafted(
      state,
      messageAt(11, { talk: EVERYONE_ID }),
      messageAt(11, { talk: 'c' }),
    );
    second.learn('c', { membership: direct(1, 2), previous: null });
    const pushes = second.route(0);
    expect(pushes.map(({ toAll }) => toAll)).toEqual([true, false]);
    expect(JSON.parse(pushes[0]!.frame)).toMatchObject({ previous: String(at(10)) });
  });
});

describe('a record that a step throws over', () => {
  const ready = (): PartitionState => {
    const state = stateFrom(10);
    routed(state, changeAt(10, { users: [1, 2], kind: 'group' }));
    return state;
  };

  it.each([
    ['taken in', broken(messageAt(11), 'messageId')],
    ['pushed', broken(messageAt(11), 'content')],
  ])('is a step of previous alone, when it is %s', (_name, entry) => {
    const state = ready();
    const draft = drafted(state, entry, messageAt(12));
    const pushes = draft.route(0);
    draft.commit(13n);
    expect(pushes.map((push) => Number(push.entry.offset))).toEqual([12]);
    expect(JSON.parse(pushes[0]!.frame)).toMatchObject({ previous: String(at(11)) });
    expect(draft.setAside.map((one) => one.entry.offset)).toEqual([11n]);
    expect(routed(state, messageAt(13))).toEqual([[13, String(at(12))]]);
  });

  it('is one that is not remembered', () => {
    const state = ready();
    const draft = drafted(state, broken(messageAt(11), 'contentHash'));
    expect(draft.route(0)).toHaveLength(1);
    draft.commit(12n);
    expect(draft.setAside).toHaveLength(1);
    expect(state.next).toBe(12n);
  });

  it('keeps nobody in whom it removes: its version is waited for', () => {
    const state = ready();
    const change = { kind: 'removed' as const, userIds: [uuid(2)] };
    const removal = changeAt(11, { users: [1], version: 2, kind: 'group', change });
    const draft = drafted(state, broken(removal, 'change'), messageAt(12));
    const told = (version: number, ...users: number[]) => ({
      membership: { ...direct(...users), version },
      previous: null,
    });
    draft.learn('c', told(1, 1, 2));
    expect(draft.blocked()).toBe(true);
    draft.learn('c', told(2, 1));
    expect(draft.blocked()).toBe(false);
    expect(draft.route(0).map((push) => push.userIds)).toEqual([[uuid(1)]]);
  });

  it('keeps its version waited for in later batches, when nobody could be asked in its own', () => {
    const state = ready();
    const change = { kind: 'removed' as const, userIds: [uuid(2)] };
    const removal = changeAt(11, { users: [1], version: 2, kind: 'group', change });
    routed(state, broken(removal, 'change'));
    const draft = drafted(state, messageAt(12));
    draft.learn('c', { membership: direct(1, 2), previous: null });
    expect(draft.blocked()).toBe(true);
  });
});

/** Of a message whose life was over before it came into the log. */
function placeAt(offset: number, id: number, sender = 1): MessageEntry {
  const entry = messageAt(offset, { id, sender, text: '' });
  return { ...entry, event: { ...entry.event, contentHash: NO_CONTENT_HASH } };
}

describe('repeated ids', () => {
  const first = messageAt(10);
  it.each([
    ['an identical copy', messageAt(11, { id: 10 }), 1, 0],
    ['another text', messageAt(11, { id: 10, text: 'ho' }), 1, 1],
    ['another sender', messageAt(11, { id: 10, sender: 2 }), 1, 1],
    ['its place only', placeAt(11, 10), 1, 0],
    ['its place only, of another sender', placeAt(11, 10, 2), 1, 1],
    ['the same id elsewhere', messageAt(11, { id: 10, talk: 'd' }), 0, 0],
    ['the same record again', first, 0, 0],
    ['another id', messageAt(11), 0, 0],
  ])('%s', (_name, second, duplicates, conflicts) => {
    const draft = drafted(stateFrom(10), first, second);
    expect(draft.counts.duplicates).toBe(duplicates);
    expect(draft.conflicts).toHaveLength(conflicts);
  });

  it.each([
    ['the place behind the message', messageAt(10), placeAt(11, 10)],
    ['the message behind the place', placeAt(10, 10), messageAt(11, { id: 10 })],
  ])('are no conflict in a later batch: %s', (_name, one, other) => {
    const state = stateFrom(10);
    routed(state, one);
    const draft = drafted(state, other);
    expect(draft.counts).toMatchObject({ live: 0, duplicates: 1 });
    expect(draft.conflicts).toEqual([]);
  });

  it('finds the first copy in an earlier batch, and in the replayed part of the log', () => {
    const state = stateFrom(10, 12);
    routed(state, first);
    const draft = drafted(state, messageAt(11, { id: 10 }), messageAt(12, { id: 10, text: 'x' }));
    expect(draft.counts).toMatchObject({ live: 0, duplicates: 1 });
    expect(draft.conflicts.map((c) => c.offset)).toEqual([12n]);
    expect(draft.route(0)).toEqual([]);
  });

  it('drops across a window of two minutes, not beyond it', () => {
    const state = stateFrom(0);
    routed(state, changeAt(0, { users: [1, 2] }), messageAt(1, { id: 77, atMs: 0 }));
    routed(state, messageAt(2, { atMs: 120_000 }));
    expect(drafted(state, messageAt(3, { id: 77 })).counts.duplicates).toBe(1);
    routed(state, messageAt(3, { atMs: 120_001 }));
    expect(drafted(state, messageAt(4, { id: 77 })).counts.duplicates).toBe(0);
  });

  it('a dropped record is no step of the chain', () => {
    const pushed = routed(
      stateFrom(0),
      changeAt(0, { users: [1, 2] }),
      messageAt(1),
      messageAt(2, { id: 1 }),
      messageAt(3),
    );
    expect(pushed).toEqual([
      [0, '0'],
      [1, String(at(0))],
      [3, String(at(1))],
    ]);
  });
});

describe('changes of messages', () => {
  const begin = [changeAt(0, { users: [1, 2] }), messageAt(1)];

  it('are steps of the chain, with their own position', () => {
    const state = stateFrom(0);
    expect(routed(state, ...begin, editAt(2, 1), messageAt(3))).toEqual([
      [0, '0'],
      [1, String(at(0))],
      [2, String(at(1))],
      [3, String(at(2))],
    ]);
  });

  it.each([
    ['the same id again', editAt(4, 1, { change: 3 }), 1, 0],
    ['the same id for another text', editAt(4, 1, { change: 3, text: 'x' }), 1, 1],
    ['the same id by somebody else', editAt(4, 1, { change: 3, user: 2 }), 1, 1],
    ['the same id elsewhere', editAt(4, 1, { change: 3, talk: 'd' }), 0, 0],
    ["a message's id", editAt(4, 1, { change: 1 }), 0, 0],
    ['a later edit', editAt(4, 1), 0, 0],
  ])('%s', (_name, second, duplicates, conflicts) => {
    const state = stateFrom(0);
    routed(state, ...begin, editAt(3, 1));
    const draft = drafted(state, second);
    expect(draft.counts.duplicates).toBe(duplicates);
    expect(draft.conflicts).toHaveLength(conflicts);
  });

  it('end with the deletion, in its batch and behind it', () => {
    const state = stateFrom(0);
    const gone = editAt(2, 1, { text: null });
    expect(routed(state, ...begin, gone, editAt(3, 1), messageAt(4)).slice(2)).toEqual([
      [2, String(at(1))],
      [4, String(at(2))],
    ]);
    expect(drafted(state, editAt(5, 1), editAt(6, 1, { text: null })).counts).toMatchObject({
      live: 0,
      duplicates: 2,
    });
    expect(drafted(state, editAt(5, 4)).counts).toMatchObject({ live: 1, duplicates: 0 });
  });

  it('a batch that is routed again keeps its own deletion', () => {
    const state = stateFrom(0);
    routed(state, ...begin);
    const gone = editAt(2, 1, { text: null });
    expect(drafted(state, gone).route(0)).toHaveLength(1);
    expect(drafted(state, gone, editAt(3, 1)).route(0)).toHaveLength(1);
  });

  it('go to those who see the message, until they leave', () => {
    const state = stateFrom(10);
    const [stayed, joined, left] = [
      { userId: uuid(1), from: 0n, until: null },
      { userId: uuid(2), from: at(8), until: null },
      { userId: uuid(3), from: 0n, until: at(9) },
    ];
    state.members.set('c', membership('group', 3, [stayed, joined, left]));
    const pushes = drafted(state, editAt(10, 5), editAt(11, 9), messageAt(12)).route(0);
    expect(pushes.map((p) => p.userIds)).toEqual([
      [uuid(1)],
      [uuid(1), uuid(2)],
      [uuid(1), uuid(2)],
    ]);
    expect(pushes.map((p) => p.receiver)).toEqual([null, null, null]);
  });
});

describe('previous', () => {
  it('comes from the chain, over batches and conversations', () => {
    const state = stateFrom(0);
    routed(state, changeAt(0, { users: [1, 2] }), changeAt(1, { talk: 'd', users: [1, 3] }));
    expect(routed(state, messageAt(2, { talk: 'd' }), messageAt(3), messageAt(4))).toEqual([
      [2, String(at(1))],
      [3, String(at(0))],
      [4, String(at(3))],
    ]);
  });

  it('comes from what was replayed', () => {
    const state = stateFrom(5, 7);
    expect(routed(state, changeAt(5, { users: [1, 2] }), messageAt(6), messageAt(7))).toEqual([
      [7, String(at(6))],
    ]);
  });

  it('comes from storage when the window has none, else is unknown', () => {
    for (const previous of [at(3), 0n, null]) {
      const draft = drafted(stateFrom(10), messageAt(10), messageAt(11));
      expect(draft.missing()).toEqual([{ conversationId: 'c', members: true }]);
      expect(draft.blocked()).toBe(true);
      draft.learn('c', { membership: direct(1, 2), previous });
      expect(draft.blocked()).toBe(false);
      const frames = draft.route(0).map((p) => JSON.parse(p.frame) as { previous: unknown });
      expect(frames.map((f) => f.previous)).toEqual([
        previous === null ? null : String(previous),
        String(at(10)),
      ]);
      expect(draft.counts.previousUnknown).toBe(previous === null ? 1 : 0);
    }
  });

  it('is not waited for when the members are known', () => {
    const state = stateFrom(10);
    state.members.set('c', direct(1, 2));
    const draft = drafted(state, messageAt(10));
    expect(draft.missing()).toEqual([{ conversationId: 'c', members: false }]);
    expect(draft.blocked()).toBe(false);
    expect(JSON.parse(draft.route(0)[0]!.frame)).toMatchObject({ previous: null });
  });
});

describe('members', () => {
  it('come from the log itself when it has them', () => {
    const draft = drafted(stateFrom(0), changeAt(0, { users: [1, 2] }), messageAt(1));
    expect(draft.missing()).toEqual([]);
    expect(draft.route(0).map((p) => [p.userIds, p.receiver])).toEqual([
      [[uuid(1), uuid(2)], null],
      [[uuid(1), uuid(2)], uuid(2)],
    ]);
  });

  it('a conversation that storage does not know reaches nobody and is not remembered', () => {
    const state = stateFrom(0);
    const draft = drafted(state, messageAt(0));
    draft.learn('c', { membership: null, previous: null });
    expect(draft.blocked()).toBe(false);
    expect(draft.route(0)[0]).toMatchObject({ userIds: [], receiver: null });
    expect(draft.counts.conversationUnknown).toBe(1);
    draft.commit(1n);
    expect(drafted(state, messageAt(1)).missing()).toEqual([
      { conversationId: 'c', members: true },
    ]);
  });
});

describe('staged state', () => {
  const batch = [changeAt(0, { users: [1, 2] }), messageAt(1), messageAt(2, { id: 1 })];

  it('a draft that is given up leaves no trace', () => {
    const state = stateFrom(0);
    const first = drafted(state, ...batch).route(0);
    expect([state.recentIds.size, state.chains.get('c'), state.next]).toEqual([0, undefined, 0n]);
    const again = drafted(state, ...batch).route(0);
    expect(again.map((p) => p.frame)).toEqual(first.map((p) => p.frame));
  });

  it('a committed one is complete, and is not applied twice', () => {
    const state = stateFrom(0);
    routed(state, ...batch);
    expect([state.recentIds.size, state.chains.get('c'), state.next]).toEqual([2, at(1), 3n]);
    const repeated = drafted(state, ...batch, messageAt(3));
    expect(repeated.route(0).map((p) => p.entry.offset)).toEqual([3n]);
  });
});

describe('groups', () => {
  const change = (offset: number, version: number, kind: 'added' | 'removed', ...users: number[]) =>
    changeAt(offset, {
      users: [1],
      version,
      kind: 'group',
      change:
        kind === 'added'
          ? { kind, userIds: users.map(uuid), history: 'joined' }
          : { kind, userIds: users.map(uuid) },
    });
  const told = (version: number, users: number[], provisional?: boolean) => ({
    membership: membership(
      'group',
      version,
      users.map((n): Member => ({ userId: uuid(n), from: 0n, until: null })),
    ),
    previous: 0n,
    ...(provisional && { provisional }),
  });
  const recipients = (draft: Draft): number[][] =>
    draft.route(0).map((push) => push.userIds.map((id) => Number(id.slice(-12))).sort());

  it('each is sent the record about himself, and nothing above his removal', () => {
    const draft = drafted(
      stateFrom(0),
      changeAt(0, { users: [1, 2], kind: 'group' }),
      messageAt(1),
      change(2, 2, 'added', 3),
      messageAt(3),
      change(4, 3, 'removed', 2),
      messageAt(5),
    );
    expect(draft.missing()).toEqual([]);
    expect(recipients(draft)).toEqual([
      [1, 2],
      [1, 2],
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
      [1, 3],
    ]);
  });

  it('a cold cache: storage tells, the records of the batch fill in what has no position yet', () => {
    const state = stateFrom(10);
    const entries = [messageAt(10), change(11, 4, 'removed', 2), messageAt(12)];
    const draft = drafted(state, ...entries);
    draft.learn('c', told(4, [1, 3], true));
    expect(recipients(draft)).toEqual([
      [1, 3],
      [1, 2, 3],
      [1, 3],
    ]);
    draft.commit(13n);
    expect(state.members.get('c')).toBeUndefined();
  });

  it('a settled answer is remembered, and not applied twice', () => {
    const state = stateFrom(10);
    const draft = drafted(state, change(10, 4, 'added', 2));
    draft.learn('c', told(4, [1, 2]));
    draft.commit(11n);
    expect(state.members.get('c')?.version).toBe(4);
    expect(recipients(drafted(state, messageAt(11)))).toEqual([[1, 2]]);
  });

  it('waits when only a copy older than a change can be had', () => {
    const draft = drafted(stateFrom(10), change(10, 4, 'removed', 2), messageAt(11));
    draft.learn('c', told(2, [1, 2]));
    expect(draft.blocked()).toBe(true);
    draft.learn('c', told(3, [1, 2]));
    expect(draft.blocked()).toBe(false);
    expect(recipients(draft)).toEqual([[1, 2], [1]]);
  });
});

describe('what has expired', () => {
  const EXPIRES_MS = Date.parse('2026-01-02T03:04:15.678Z');
  const expiring = <E extends MessageEntry | ChangeEntry>(entry: E): E => ({
    ...entry,
    event: { ...entry.event, expiresAt: new Date(EXPIRES_MS).toISOString() },
  });

  it('goes to nobody, but is a step of the chain', () => {
    const state = stateFrom(0);
    const batch = [
      changeAt(0, { users: [1, 2] }),
      expiring(messageAt(1)),
      expiring(editAt(2, 1)),
      messageAt(3),
    ];
    const reach = (nowMs: number) =>
      drafted(state, ...batch)
        .route(nowMs)
        .map(({ userIds, receiver, frame }) => [
          userIds.length,
          receiver !== null,
          (JSON.parse(frame) as { previous: string }).previous,
        ]);
    const previous = ['0', 0, 1, 2].map((n) => (n === '0' ? n : String(at(Number(n)))));
    expect(reach(EXPIRES_MS - 1)).toEqual([
      [2, false, previous[0]],
      [2, true, previous[1]],
      [2, false, previous[2]],
      [2, true, previous[3]],
    ]);
    expect(reach(EXPIRES_MS)).toEqual([
      [2, false, previous[0]],
      [0, false, previous[1]],
      [0, false, previous[2]],
      [2, true, previous[3]],
    ]);
  });
});
