import type { SyncedConversation, SyncRequest } from '@tidings/protocol/frames';
import { Client } from 'pg';
import { StatementLog, transactionsOf } from '../support/statement-log';
import { eventually } from '../support/eventually';
import {
  changeOf,
  messageOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  type TestUser,
  synced,
} from './storage-support';

const PATIENT = { timeoutMs: 30_000 };
const SNAPSHOT = 'ISOLATION LEVEL REPEATABLE READ READ ONLY';
/** What a sync may ask beside the begin and the end of its snapshot. */
const MOST = 3;
/** Whatever a sync asks has such a name; sweeps and leaders have others. */
const OF_SYNC = /^(sync|log|keep)-/;

/** The connections that an instance reads over, by their name. */
const readsOf =
  ({ nodeId }: RunningStorage) =>
  (application: string): boolean =>
    application === `${nodeId}/reads`;

describe('storage: what a sync asks of PostgreSQL', () => {
  let fixture: StorageFixture;
  let instances: [RunningStorage, RunningStorage];
  let statements: StatementLog;
  let ann: TestUser;
  let others: TestUser[];
  let ids: string[];

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    instances = await Promise.all([fixture.storage('storage-1'), fixture.storage('storage-2')]);
    const { rpc } = instances[0];
    [ann, ...others] = (await Promise.all(
      Array.from({ length: 9 }, (_, n) => newUser(rpc, `user${n}`)),
    )) as [TestUser, ...TestUser[]];
    ids = [];
    for (const other of others) {
      const input = { userId: other.id, otherId: ann.id };
      ids.push((await rpc.call('conversations.direct', input, PATIENT)).conversation.id);
    }
    statements = await StatementLog.start(fixture.servers.postgres);
    // open connections hear of it by a signal
    for (const one of instances) {
      await eventually(async () => {
        await sync(one, ann, {});
        expect(statements.of(readsOf(one)).length).toBeGreaterThan(0);
      });
    }
  }, 240_000);

  afterAll(() => fixture?.stop());

  async function sync(one: RunningStorage, user: TestUser, request: SyncRequest) {
    const barrier = await fixture.barrier();
    const bodies = await synced(one.rpc, { userId: user.id, request, barrier });
    const { since, complete, delayed } = bodies.at(-1)!;
    return { since, complete, delayed, conversations: bodies.flatMap((b) => b.conversations) };
  }

  /** Waits until everything that was appended is in PostgreSQL. */
  async function applied(): Promise<void> {
    const ends = await fixture.barrier();
    await eventually(async () => {
      const rows = await fixture.rows<{ next: string }>(
        `SELECT next FROM log_progress WHERE topic = 'chat.messages.v1' ORDER BY partition`,
      );
      expect(rows.map(({ next }) => next)).toEqual(ends);
    });
  }

  /** What an instance was asked by syncs: its snapshots, and what it asked outside of them. */
  async function asked(one: RunningStorage) {
    // an answer does not wait for the end of its snapshot
    return eventually(() => {
      const logged = statements.of(readsOf(one)).filter(({ name }) => name !== 'SELECT 1');
      const all = transactionsOf(logged);
      expect(all.filter(({ ended }) => !ended)).toEqual([]);
      const snapshots = all.filter(({ mode }) => mode === SNAPSHOT).map((one) => one.statements);
      const outside = logged.map(({ name }) => name).filter((name) => OF_SYNC.test(name));
      for (const name of snapshots.flat()) outside.splice(outside.indexOf(name), 1);
      return { snapshots, outside };
    });
  }

  const send = (n: number, ...texts: string[]) =>
    fixture.append(texts.map((text) => messageOf(ids[n]!, others[n]!.id, text)));
  const held = ({ conversationId, upTo: position, digest }: SyncedConversation) => ({
    conversationId,
    position,
    digest,
  });

  it.each([0, 1])(
    'of a device that comes back: at most three statements, whatever it has missed (storage %i)',
    async (n) => {
      const one = instances[n]!;
      const words = messageOf(ids[0]!, others[0]!.id, 'changed later');
      const [position] = await fixture.append([words]);
      await send(1, 'a', 'b');
      await applied();
      const first = await sync(one, ann, {});
      expect(first.conversations).toHaveLength(ids.length);
      // behind, changed, quiet, and nothing counted of the quiet one since its last message
      await send(2, 'c', 'd', 'e');
      await fixture.appendChanges([changeOf(words, position!, 'changed')]);
      await send(3, 'read on the other device');
      await applied();
      const [fourth] = (await sync(one, others[3]!, {})).conversations;
      const known = first.conversations.map(held);
      const request = { since: first.since!, conversations: known };
      await asked(one);
      statements.clear();
      const answer = await sync(one, ann, request);
      const { snapshots, outside } = await asked(one);
      expect(snapshots).toHaveLength(1);
      expect(snapshots[0]!.length).toBeLessThanOrEqual(MOST);
      expect(outside.filter((name) => !name.startsWith('keep-'))).toEqual([]);
      expect(outside.length).toBeLessThanOrEqual(1);
      expect(answer).toMatchObject({ complete: true });
      const told = new Map(answer.conversations.map((c) => [c.conversationId, c]));
      expect(told.get(ids[2]!)!.messages).toHaveLength(3);
      expect(told.get(ids[0]!)!.messages).toMatchObject([{ messageId: words.messageId }]);
      expect(told.get(ids[1]!)).toMatchObject({ state: 'same', messages: [] });
      expect(told.get(fourth!.conversationId)!.messages).toHaveLength(1);
    },
  );

  it('of one that missed nothing: two, and one when all was counted before', async () => {
    const one = instances[0];
    await send(4, 'x');
    await applied();
    const first = await sync(one, ann, {});
    const known = first.conversations.map(held);
    const request = { since: first.since!, conversations: known };
    await sync(one, ann, request);
    await asked(one);
    statements.clear();
    expect((await sync(one, ann, request)).conversations.every((c) => c.state === 'same')).toBe(
      true,
    );
    const { snapshots, outside } = await asked(one);
    expect(snapshots).toHaveLength(1);
    expect(snapshots[0]!.length).toBe(1);
    expect(outside).toEqual([]);
  });

  it.each([0, 1])(
    'a snapshot that lacks what is below the barrier is given up, and the answer has it (storage %i)',
    async (n) => {
      const one = instances[n]!;
      await applied();
      const { since } = await sync(one, ann, {});
      const blocker = new Client({ connectionString: fixture.servers.databaseUrl });
      await blocker.connect();
      let answer: Awaited<ReturnType<typeof sync>>;
      try {
        // what is appended now cannot be applied
        await blocker.query('BEGIN');
        await blocker.query('SELECT next FROM log_progress FOR UPDATE');
        await send(5, 'below the barrier');
        await asked(one);
        statements.clear();
        const pending = sync(one, ann, { since });
        await eventually(() => {
          const names = statements.of(readsOf(one)).map(({ name }) => name);
          expect(names).toContain('sync-memberships-since');
        });
        await blocker.query('COMMIT');
        answer = await pending;
      } finally {
        await blocker.end();
      }
      expect(answer).toMatchObject({ complete: true });
      expect(answer.conversations.flatMap((c) => c.messages)).toMatchObject([
        { content: { text: 'below the barrier' } },
      ]);
      const { snapshots } = await asked(one);
      expect(snapshots.length).toBeGreaterThan(1);
      expect(snapshots[0]).toHaveLength(1);
      for (const snapshot of snapshots) expect(snapshot.length).toBeLessThanOrEqual(MOST);
    },
  );
});
