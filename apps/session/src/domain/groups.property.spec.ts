import fc from 'fast-check';
import type { ConversationChange } from '@tidings/protocol/content';
import { BASE, changeAt, messageAt, uuid } from '../../test/entries';
import { Draft } from './draft';
import type { LogEntry } from './entry';
import { membership, type Member } from './members';
import { emptyState } from './partition-state';

/** Enough to find each mistake that was put in on purpose; more find rarer ones. */
const RUNS = 400;
const USERS = [1, 2, 3, 4, 5];

/** What happens in a group, as numbers: 0 a message, n somebody's coming or going, -1 a new title. */
type Step = number;

/** How one batch meets the session: its size, whether its cache is cold, and where storage stands. */
interface Meeting {
  size: number;
  cold: boolean;
  /** Changes at the end of what storage knows that have no position yet, as far as they may. */
  pending: number;
  /** Changes that storage knows although they lie behind the batch. */
  ahead: number;
}

/** A group's log, and who may see what of it. */
class Group {
  readonly log: LogEntry[] = [];
  /** Every interval that a user ever had; the last one may be open. */
  readonly intervals = new Map<number, Member[]>();
  /** Version, user and place of each change of members. */
  readonly changes: { version: number; user: number; at: bigint; joins: boolean }[] = [];
  private version = 1;

  constructor(
    steps: readonly Step[],
    readonly history: 'joined' | 'all',
  ) {
    this.log.push(changeAt(0, { users: [1, 2], kind: 'group' }));
    for (const user of [1, 2]) this.open(user, 0n);
    for (const step of steps) this.log.push(this.entry(this.log.length, step));
  }

  maySee(user: number, at: bigint): boolean {
    return (this.intervals.get(user) ?? []).some(
      ({ from, until }) => from < at && (until === null || at <= until),
    );
  }

  /** Versions up to the record at this place. */
  versionAt(place: number): number {
    return this.log
      .slice(0, place + 1)
      .reduce((v, e) => (e.kind === 'conversation' ? e.event.version : v), 0);
  }

  /** Storage's answer when it knows all versions up to `version`, the newest of them pending. */
  told(version: number, pending: number, floor: bigint) {
    const known = this.changes.filter((change) => change.version <= version);
    const open = new Map<number, boolean>();
    // One row has one pending change at most, and nothing follows on it.
    for (const { user, joins } of known.slice(known.length - pending).reverse()) {
      if (open.has(user)) break;
      open.set(user, joins);
    }
    const members = USERS.flatMap((user): Member[] => {
      if (open.has(user)) return [];
      const own = known.filter((change) => change.user === user);
      const last = own.at(-1);
      if (!last) return user <= 2 ? [{ userId: uuid(user), from: 0n, until: null }] : [];
      if (last.joins) return [{ userId: uuid(user), from: this.from(last.at), until: null }];
      if (last.at < floor) return [];
      const joined = own.findLast((change) => change.joins);
      const from = joined ? this.from(joined.at) : 0n;
      return [{ userId: uuid(user), from, until: last.at }];
    });
    const provisional = open.size > 0;
    return {
      membership: membership('group', version, members),
      previous: null,
      ...(provisional && { provisional }),
    };
  }

  private from(at: bigint): bigint {
    return this.history === 'all' ? 0n : at - 1n;
  }

  private open(user: number, from: bigint): void {
    const own = this.intervals.get(user) ?? [];
    own.push({ userId: uuid(user), from, until: null });
    this.intervals.set(user, own);
  }

  private entry(offset: number, step: Step): LogEntry {
    if (step === 0) return messageAt(offset);
    const version = ++this.version;
    const change = step < 0 ? { kind: 'title' as const, title: 't' } : this.turn(offset, step);
    return changeAt(offset, { users: [1], version, kind: 'group', change });
  }

  private turn(offset: number, user: number): ConversationChange {
    const at = BASE + BigInt(offset);
    const last = this.intervals.get(user)?.at(-1);
    const joins = last?.until !== null;
    this.changes.push({ version: this.version, user, at, joins });
    if (joins) {
      this.open(user, this.from(at));
      return { kind: 'added', userIds: [uuid(user)], history: this.history };
    }
    last.until = at;
    return { kind: 'removed', userIds: [uuid(user)] };
  }
}

const steps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: -1, max: 5 })), {
  minLength: 5,
  maxLength: 40,
});
const meetings = fc.array(
  fc.record({
    size: fc.integer({ min: 1, max: 6 }),
    cold: fc.boolean(),
    pending: fc.integer({ min: 0, max: 3 }),
    ahead: fc.integer({ min: 0, max: 4 }),
  }),
  { minLength: 1, maxLength: 12 },
);

function run(group: Group, meet: readonly Meeting[], begin: number): void {
  const { log } = group;
  const start = Math.min(begin, log.length - 1);
  const state = emptyState({
    partition: 0,
    base: BASE,
    start: BigInt(start),
    liveFrom: BigInt(start),
  });
  const floor = BASE + BigInt(start);
  for (let place = start, n = 0; place < log.length; n++) {
    const { size, cold, pending, ahead } = meet[n % meet.length]!;
    const batch = log.slice(place, place + size);
    place += batch.length;
    if (cold) state.members.delete('c');
    const draft = new Draft(state);
    for (const entry of batch) draft.admit(entry);
    const version = group.versionAt(Math.min(place - 1 + ahead, log.length - 1));
    const told = group.told(version, pending, floor);
    for (const { conversationId } of draft.missing()) draft.learn(conversationId, told);
    expect(draft.blocked()).toBe(false);
    const asked = draft.missing().some((m) => m.members);
    for (const { entry, userIds } of draft.route(0)) {
      const sent = userIds.map((id) => Number(id.slice(-12)));
      expect(new Set(sent).size).toBe(sent.length);
      for (const user of USERS) {
        const last = group.intervals.get(user)?.at(-1);
        const since = group.changes.findLast((change) => change.user === user)?.at ?? 0n;
        const stays = last?.until === null && since <= entry.position;
        const must = stays && !(asked && told.provisional);
        if (must) expect(sent).toContain(user);
        if (!group.maySee(user, entry.position)) expect(sent).not.toContain(user);
      }
    }
    draft.commit(BigInt(place));
  }
}

describe('whatever storage knows, and wherever batches end', () => {
  it.each(['joined', 'all'] as const)(
    'nobody is sent what is not his, and who stays misses nothing: history %s',
    (history) => {
      fc.assert(
        fc.property(steps, meetings, fc.integer({ min: 0, max: 20 }), (s, m, begin) =>
          run(new Group(s, history), m, begin),
        ),
        { numRuns: RUNS },
      );
    },
  );
});
