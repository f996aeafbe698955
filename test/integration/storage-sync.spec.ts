import { createHash } from 'node:crypto';
import { digestText } from '@tidings/protocol/digest';
import type { Message } from '@tidings/protocol/content';
import type { SyncedBody, SyncedConversation, SyncRequest } from '@tidings/protocol/frames';
import { LIMITS } from '@tidings/protocol/limits';
import { comparePositions } from '@tidings/protocol/positions';
import {
  messageOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  type TestUser,
  synced,
} from './storage-support';

const PATIENT = { timeoutMs: 30_000 };

/** A whole answer: the bodies of its frames, put together. */
interface Answer {
  since: string | undefined;
  complete: boolean | undefined;
  delayed: boolean;
  conversations: SyncedConversation[];
  bodies: SyncedBody[];
}

describe('storage: sync', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let turn = 0;

  const sync = async (userId: string, request: SyncRequest, barrier?: (string | null)[] | null) => {
    // Any instance answers, whatever partitions it owns.
    const { rpc } = turn++ % 2 ? one : two;
    const taken = barrier === undefined ? await fixture.barrier() : barrier;
    const bodies = await synced(rpc, { userId, request, barrier: taken });
    const last = bodies.at(-1)!;
    const answer: Answer = {
      since: last.since,
      complete: last.complete,
      delayed: last.delayed === true,
      bodies,
      conversations: bodies.flatMap((body) => body.conversations),
    };
    return answer;
  };
  const pair = async (a: TestUser, b: TestUser): Promise<string> => {
    const input = { userId: a.id, otherId: b.id };
    const { conversation } = await one.rpc.call('conversations.direct', input, PATIENT);
    return conversation.id;
  };
  const send = (conversationId: string, sender: TestUser, ...texts: string[]) =>
    fixture.append(texts.map((text) => messageOf(conversationId, sender.id, text)));
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);
  const textsOf = (messages: Message[]): string[] =>
    messages.flatMap(({ content }) => (content.kind === 'text' ? [content.text] : []));
  /** A user with conversations with as many others. */
  const userWith = async (others: number): Promise<[TestUser, string[], TestUser]> => {
    const [user, ...rest] = await Promise.all(
      Array.from({ length: others + 1 }, () => newUser(one.rpc)),
    );
    const ids: string[] = [];
    for (const other of rest) ids.push(await pair(other, user!));
    return [user!, ids, rest[0]!];
  };

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    [one, two] = await Promise.all([fixture.storage('storage-1'), fixture.storage('storage-2')]);
  }, 240_000);

  afterAll(() => fixture?.stop());

  it('a new device gets the newest ten of each conversation, and a since that holds', async () => {
    const [user, [id], other] = await userWith(1);
    const sent = await send(id!, other, ...numbers(12));
    const answer = await sync(user.id, {});
    expect(answer).toMatchObject({ complete: true, delayed: false });
    expect(answer.conversations).toMatchObject([
      { conversationId: id, state: 'new', more: true, upTo: sent.at(-1), unread: 12 },
    ]);
    expect(textsOf(answer.conversations[0]!.messages)).toEqual(numbers(12).slice(2));
    expect(answer.conversations[0]!.digest).toBe(digestOf(answer.conversations[0]!.messages));
    expect(answer.conversations[0]!.receipts.map((r) => r.userId).sort()).toEqual(
      [user.id, other.id].sort(),
    );
    const nothing = await sync(user.id, { since: answer.since });
    expect(nothing).toMatchObject({ complete: true, conversations: [] });
  });

  it('since then: only what has entries, or has begun', async () => {
    const [user, [a, b], other] = await userWith(2);
    const first = await sync(user.id, {});
    await send(b!, user, 'own', 'words');
    const third = await newUser(one.rpc);
    const c = await pair(user, third);
    const answer = await sync(user.id, { since: first.since });
    const states = new Map(answer.conversations.map((x) => [x.conversationId, x]));
    expect([...states.keys()].sort()).toEqual([b!, c].sort());
    expect(states.get(b!)).toMatchObject({ state: 'behind', more: false, unread: 0 });
    expect(textsOf(states.get(b!)!.messages)).toEqual(['own', 'words']);
    expect(states.get(c)).toMatchObject({
      state: 'new',
      messages: [{ content: { kind: 'event' } }],
    });
    await send(a!, other, 'later');
    const next = await sync(user.id, { since: answer.since });
    expect(next.conversations.map((x) => x.conversationId)).toEqual([a]);
  });

  it('at most the newest hundred above a position, ascending, `more` for the rest', async () => {
    const [user, [id], other] = await userWith(1);
    const sent = await send(id!, other, ...numbers(120));
    const above = async (index: number) => {
      const conversations = [{ conversationId: id!, position: sent[index]! }];
      return (await sync(user.id, { conversations })).conversations[0]!;
    };
    const exact = await above(19);
    expect([exact.messages.length, exact.more, exact.state]).toEqual([100, false, 'behind']);
    expect(textsOf(exact.messages)).toEqual(numbers(120).slice(20));
    const longer = await above(18);
    expect([longer.messages.length, longer.more]).toEqual([100, true]);
    expect(textsOf(longer.messages)).toEqual(numbers(120).slice(20));
    const none = await above(119);
    expect(none).toMatchObject({ state: 'same', messages: [], more: false, upTo: sent[119] });
  });

  it('only what was listed, without a since to keep', async () => {
    const [user, [a, b], other] = await userWith(2);
    await send(a!, other, 'x');
    await send(b!, other, 'y');
    const answer = await sync(user.id, { conversations: [{ conversationId: b!, position: '0' }] });
    expect(answer.conversations.map((x) => x.conversationId)).toEqual([b]);
    expect(answer).toMatchObject({ complete: true, since: undefined });
  });

  it('an answer of many parts has everything once, in parts of at most 500 messages', async () => {
    const [user, ids, other] = await userWith(14);
    const first = await sync(user.id, {});
    for (const id of ids) await send(id, other, ...numbers(90));
    const held = new Map<string, string[]>();
    let { since } = first;
    let parts = 0;
    for (let complete: boolean | undefined = false; !complete; parts++) {
      const answer = await sync(user.id, { since });
      const messages = answer.conversations.flatMap((c) => c.messages);
      expect(messages.length).toBeLessThanOrEqual(LIMITS.syncMessages);
      for (const c of answer.conversations) {
        held.set(c.conversationId, [...(held.get(c.conversationId) ?? []), ...textsOf(c.messages)]);
      }
      // The client may have been away between the parts: nobody pushed it what arrives there.
      if (parts === 0) for (const id of ids) await send(id, other, 'meanwhile');
      ({ since, complete } = answer);
    }
    expect(parts).toBeGreaterThan(2);
    for (const id of ids) {
      expect([...new Set(held.get(id))]).toEqual([...numbers(90), 'meanwhile']);
    }
    expect(await sync(user.id, { since })).toMatchObject({ complete: true, conversations: [] });
  });

  it('many listed conversations are carried over the parts as well', async () => {
    const [user, ids, other] = await userWith(9);
    const positions: string[] = [];
    for (const id of ids) positions.push((await send(id, other, 'held', ...numbers(80)))[0]!);
    let request: SyncRequest = {
      conversations: ids.map((conversationId, i) => ({ conversationId, position: positions[i]! })),
    };
    const texts = new Map<string, string[]>();
    for (;;) {
      const answer = await sync(user.id, request);
      for (const c of answer.conversations) texts.set(c.conversationId, textsOf(c.messages));
      if (answer.complete) break;
      request = { since: answer.since };
    }
    for (const id of ids) expect(texts.get(id)).toEqual(numbers(80));
  });

  it('finds a lost tail and a foreign state by the digest', async () => {
    const [user, [id], other] = await userWith(1);
    await send(id!, other, ...numbers(15));
    const { conversations } = await sync(user.id, {});
    const held = conversations[0]!;
    const ask = async (digest: string) => {
      const entry = { conversationId: id!, position: held.upTo, digest };
      return (await sync(user.id, { conversations: [entry] })).conversations[0]!;
    };
    expect(await ask(held.digest)).toMatchObject({ state: 'same', messages: [] });
    const reset = await ask(digestOf(held.messages.slice(0, -1)));
    expect(reset).toMatchObject({ state: 'reset', more: true, digest: held.digest });
    expect(textsOf(reset.messages)).toEqual(numbers(15).slice(5));
    // A message that the server has no longer.
    await fixture.rows('DELETE FROM messages WHERE conversation_id = $1 AND position = $2', [
      id,
      held.messages.at(-2)!.position,
    ]);
    expect(textsOf((await ask(held.digest)).messages)).not.toContain('13');
  });

  it('what one is no member of is gone, and tells nothing', async () => {
    const [user, [mine]] = await userWith(1);
    const [, [foreign]] = await userWith(1);
    const conversations = [mine!, foreign!, 'A'.repeat(43), 'short-1', 'short-2'].map(
      (conversationId) => ({ conversationId, position: '1', digest: 'x' }),
    );
    const answer = await sync(user.id, { conversations });
    const gone = answer.conversations.filter((c) => c.state === 'gone');
    expect(gone.map((c) => c.conversationId).sort()).toEqual(
      [foreign!, 'A'.repeat(43), 'short-1', 'short-2'].sort(),
    );
    for (const { messages, receipts, unread, upTo } of gone) {
      expect({ messages, receipts, unread, upTo }).toEqual({
        messages: [],
        receipts: [],
        unread: 0,
        upTo: '1',
      });
    }
  });

  it('shows a member the positions of the own interval only', async () => {
    const [user, [id], other] = await userWith(1);
    const first = await sync(user.id, {});
    const sent = await send(id!, other, ...numbers(6));
    const set = (column: string, value: string | null) =>
      fixture.rows(
        `UPDATE members SET ${column} = $3 WHERE conversation_id = $1 AND user_id = $2`,
        [id, user.id, value],
      );
    await set('from_position', sent[2]!);
    const joined = await sync(user.id, { since: first.since });
    expect(textsOf(joined.conversations[0]!.messages)).toEqual(['3', '4', '5']);
    expect(joined.conversations[0]).toMatchObject({ state: 'new', unread: 3, more: false });
    await set('until_position', sent[4]!);
    const left = await sync(user.id, { since: first.since });
    expect(left.conversations).toMatchObject([{ state: 'gone', messages: [], upTo: sent[4] }]);
  });

  it('a since of somebody else, or of nothing, is a new device', async () => {
    const [user, [id], other] = await userWith(1);
    const foreign = await sync(other.id, {});
    for (const since of [foreign.since!, 'nonsense', "'; --", 'x'.repeat(8_192)]) {
      const answer = await sync(user.id, { since });
      expect(answer.conversations).toMatchObject([{ conversationId: id, state: 'new' }]);
    }
  });

  it('says `delayed` when the barrier is out of reach, and loses nothing by it', async () => {
    const [user, [id], other] = await userWith(1);
    const first = await sync(user.id, {});
    await send(id!, other, 'one');
    const far = (await fixture.barrier()).map((offset) => String(BigInt(offset!) + 50n));
    const held: string[] = [];
    let since = first.since;
    for (const barrier of [far, null, far.map(() => null), undefined]) {
      const startedAt = performance.now();
      const answer = await sync(user.id, { since }, barrier);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      expect(answer.delayed).toBe(barrier !== undefined);
      expect(answer.complete).toBe(barrier === undefined);
      for (const c of answer.conversations) held.push(...textsOf(c.messages));
      await send(id!, other, 'more');
      ({ since } = answer);
    }
    const last = await sync(user.id, { since });
    for (const c of last.conversations) held.push(...textsOf(c.messages));
    expect(held).toEqual(['one', 'more', 'more', 'more', 'more']);
  });

  it('fits its frames, and leaves out old messages rather than exceed one', async () => {
    const [user, ids, other] = await userWith(3);
    const first = await sync(user.id, {});
    for (const id of ids)
      await send(id, other, ...numbers(25).map((n) => n.padEnd(16_000, '\u0001')));
    const answer = await sync(user.id, { since: first.since });
    expect(answer.bodies.length).toBeGreaterThan(1);
    for (const body of answer.bodies) {
      expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThan(LIMITS.serverFrameBytes);
    }
    for (const c of answer.conversations) {
      expect(c.more).toBe(true);
      expect(textsOf(c.messages).at(-1)!.startsWith('24')).toBe(true);
    }
  });

  it('a complete answer holds everything acknowledged before it was asked for', async () => {
    const [user, ids, other] = await userWith(4);
    const acknowledged = new Map<string, string[]>(ids.map((id) => [id, []]));
    let over = false;
    const writing = (async () => {
      for (let i = 0; !over; i++) {
        const id = ids[i % ids.length]!;
        acknowledged.get(id)!.push(...(await send(id, other, `a${i}`, `b${i}`)));
      }
    })();
    const held = new Map<string, Set<string>>(ids.map((id) => [id, new Set()]));
    let since: string | undefined;
    for (let round = 0; round < 40; round++) {
      const before = new Map(ids.map((id) => [id, [...acknowledged.get(id)!]]));
      const answer = await sync(user.id, since === undefined ? {} : { since });
      ({ since } = answer);
      for (const c of answer.conversations) {
        const mine = held.get(c.conversationId)!;
        for (const message of c.messages) mine.add(message.position);
        expect(c.messages.every((m) => comparePositions(m.position, c.upTo) <= 0)).toBe(true);
      }
      if (!answer.complete) continue;
      // The first answer may leave out older ones (`more`); from then on there is no hole.
      for (const id of ids) {
        const due = before
          .get(id)!
          .filter((p) => round > 0 && comparePositions(p, first(held, id)) >= 0);
        expect(due.filter((p) => !held.get(id)!.has(p))).toEqual([]);
      }
    }
    over = true;
    await writing;
  });
});

function first(held: Map<string, Set<string>>, id: string): string {
  return [...held.get(id)!].sort(comparePositions)[0] ?? '0';
}

function digestOf(messages: readonly Message[]): string {
  return createHash('sha256').update(digestText(messages)).digest('base64url');
}
