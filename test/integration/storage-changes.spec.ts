import { createHash } from 'node:crypto';
import type { Message } from '@tidings/protocol/content';
import { digestText } from '@tidings/protocol/digest';
import type { MessageSent } from '@tidings/common/log-events/events';
import type { SyncedConversation } from '@tidings/protocol/frames';
import { uuidv7 } from 'uuidv7';
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
/** What somebody learns of a message who sees nothing of its conversation. */
const OUTSIDE = { message: null, visible: false, role: null, change: null, previous: null };

describe('storage: changed messages as they are served', () => {
  let fixture: StorageFixture;
  let one: RunningStorage;
  let two: RunningStorage;
  let ann: TestUser;
  let bob: TestUser;
  let turn = 0;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    [one, two] = await Promise.all([fixture.storage('storage-1'), fixture.storage('storage-2')]);
    ann = await newUser(one.rpc, 'ann');
    bob = await newUser(one.rpc, 'bob');
  }, 240_000);

  afterAll(() => fixture?.stop());

  const rpc = () => (turn++ % 2 ? one : two).rpc;
  const pair = async (): Promise<string> => {
    const other = await newUser(one.rpc, 'other');
    const input = { userId: ann.id, otherId: other.id };
    const { conversation } = await one.rpc.call('conversations.direct', input, PATIENT);
    await fixture.rows('UPDATE members SET user_id = $1 WHERE user_id = $2', [bob.id, other.id]);
    return conversation.id;
  };
  /** Texts of ann, in the log, with their positions. */
  const say = async (id: string, ...texts: string[]) => {
    const messages = texts.map((text) => messageOf(id, ann.id, text, { meta: { text } }));
    const positions = await fixture.append(messages);
    return messages.map((message, i) => ({ message, position: positions[i]! }));
  };
  const sync = async (userId: string, id: string, position: string, digest?: string) => {
    const request = { conversations: [{ conversationId: id, position, digest }] };
    const input = { userId, request, barrier: await fixture.barrier() };
    const bodies = await synced(rpc(), input);
    return bodies[0]!.conversations[0]!;
  };
  const history = async (userId: string, id: string): Promise<Message[]> => {
    const input = { userId, conversationId: id, limit: 200, barrier: await fixture.barrier() };
    return (await rpc().call('messages.history', input, PATIENT)).items;
  };
  const textOf = ({ content }: Message): string =>
    content.kind === 'text' ? content.text : content.kind;
  const get = (message: MessageSent, userId: string, changeId: string, next?: string) =>
    rpc().call(
      'messages.get',
      {
        userId,
        conversationId: message.conversationId,
        messageId: message.messageId,
        changeId,
        next,
        waitMs: 2_000,
      },
      PATIENT,
    );
  const digestOf = (messages: readonly Message[]): string =>
    createHash('sha256').update(digestText(messages)).digest('base64url');

  it('a client that was away gets an old edit and a deletion, with their versions', async () => {
    const id = await pair();
    const said = await say(id, ...Array.from({ length: 40 }, (_, i) => `text ${i}`));
    const before = await sync(bob.id, id, '0');
    const [edited, deleted] = [said[10]!, said[35]!];
    const [v1, v2] = await fixture.appendChanges([
      changeOf(edited.message, edited.position, 'edited'),
      changeOf(deleted.message, deleted.position, null),
    ]);
    const answer = await sync(bob.id, id, before.upTo, before.digest);
    expect(answer).toMatchObject({ state: 'behind', more: false, upTo: v2, unread: 39 });
    expect(answer.messages).toEqual([
      expect.objectContaining({
        messageId: edited.message.messageId,
        position: edited.position,
        version: v1,
        content: { kind: 'text', text: 'edited' },
        meta: { text: 'text 10' },
      }),
      {
        conversationId: id,
        messageId: deleted.message.messageId,
        senderId: ann.id,
        position: deleted.position,
        version: v2,
        sentAt: deleted.message.sentAt,
        content: { kind: 'deleted' },
        deleted: true,
      },
    ]);
    const whole = await history(bob.id, id);
    expect(answer.digest).toBe(digestOf(whole));
    expect(whole.map(textOf)[11]).toBe('edited');
    expect(whole.map(textOf)[36]).toBe('deleted');
    const same = await sync(bob.id, id, answer.upTo, answer.digest);
    expect(same).toMatchObject({ state: 'same', messages: [] });
    const input = { userId: bob.id, request: {}, barrier: await fixture.barrier() };
    const [since] = await synced(rpc(), input);
    const fresh = since!.conversations.find((c) => c.conversationId === id);
    expect(fresh?.messages).toEqual(whole.slice(-10));
    expect(fresh?.digest).toBe(answer.digest);
  });

  it('leaves out no edit, however large they are together', async () => {
    const id = await pair();
    const said = await say(id, ...Array.from({ length: 100 }, (_, i) => `text ${i}`));
    const { upTo } = await sync(bob.id, id, '0');
    const long = (i: number): string => `${i} ${'x'.repeat(8_000)}`;
    const edit = (some: typeof said) =>
      fixture.appendChanges(
        some.map(({ message, position }, i) => changeOf(message, position, long(i))),
      );
    const versions = await edit(said.slice(0, 80));
    const answer = async () => {
      const request = { conversations: [{ conversationId: id, position: upTo }] };
      const input = { userId: bob.id, request, barrier: await fixture.barrier() };
      return synced(rpc(), input);
    };
    const bodies = await answer();
    expect(bodies.length).toBeGreaterThan(2);
    for (const body of bodies) expect(JSON.stringify(body).length).toBeLessThan(256 * 1024);
    const parts = bodies.flatMap((body) => body.conversations);
    expect(parts.flatMap((part) => part.messages.map((m) => m.version))).toEqual(versions);
    expect(parts.map((part) => part.upTo)).toEqual([
      ...parts.slice(1).map(() => upTo),
      versions.at(-1),
    ]);
  });

  it.each(['listed', 'not listed, beside another one with changes'])(
    'leaves out no edit, however many they are: %s',
    async (how) => {
      const listed = how === 'listed';
      const [id, other] = [await pair(), await pair()];
      const said = await say(id, ...Array.from({ length: 950 }, (_, i) => `text ${i}`));
      const [beside] = await say(other, 'beside');
      const edit = (some: typeof said, text: string) =>
        fixture.appendChanges(some.map((m) => changeOf(m.message, m.position, text)));
      const ask = async (request: object) => {
        const input = { userId: bob.id, request, barrier: await fixture.barrier() };
        const bodies = await synced(rpc(), input);
        const { since, complete } = bodies.at(-1)!;
        return { since, complete, parts: bodies.flatMap((body) => body.conversations) };
      };
      const { upTo } = await sync(bob.id, id, '0');
      let { since, complete } = await ask({});
      await edit(said.slice(0, 901), 'edited');
      await edit([beside!], 'edited, too');
      const [news] = await say(id, 'news');
      const expected = new Map((await history(bob.id, other)).map((m) => [m.messageId, m.version]));
      expected.delete((await history(bob.id, other))[0]!.messageId);
      const held = new Map<string, string>();
      const conversations = [id, other].map((conversationId) => ({
        conversationId,
        position: conversationId === id ? upTo : beside!.position,
      }));
      let request: object = listed ? { conversations } : { since };
      for (let part = 0; part === 0 || !complete; part++) {
        const answer = await ask(request);
        ({ since, complete } = answer);
        const messages = answer.parts.flatMap((p) => p.messages);
        expect(messages.length).toBeLessThanOrEqual(500);
        expect(answer.parts.every((p) => ['behind', 'same'].includes(p.state))).toBe(true);
        for (const m of messages) held.set(m.messageId, m.version);
        const mine = answer.parts.filter((p) => p.conversationId === id);
        if (!held.has(news!.message.messageId))
          for (const p of mine) expect(BigInt(p.upTo) < BigInt(news!.position)).toBe(true);
        // what was served already changes once more: a later part has it again
        if (part === 0) await edit(said.slice(0, 3), 'again');
        request = { since };
        expect(part).toBeLessThan(6);
      }
      const rows = await fixture.rows<{ message_id: string; version: string }>(
        `SELECT message_id, version FROM messages WHERE conversation_id = $1 AND version > 0`,
        [id],
      );
      expect(rows).toHaveLength(901);
      for (const row of rows) expected.set(row.message_id, row.version);
      expected.set(news!.message.messageId, '0');
      expect(Object.fromEntries(held)).toEqual(Object.fromEntries(expected));
    },
  );

  it('shows the last message as it is now', async () => {
    const id = await pair();
    const [last] = await say(id, 'secret words');
    const view = () => rpc().call('conversations.get', { userId: bob.id, conversationId: id });
    await fixture.appendChanges([changeOf(last!.message, last!.position, 'better')]);
    await eventually(async () => {
      expect((await view()).lastMessage).toMatchObject({ content: { text: 'better' } });
    });
    const [gone] = await fixture.appendChanges([changeOf(last!.message, last!.position, null)]);
    await eventually(async () => {
      const { lastMessage, lastPosition, unread } = await view();
      expect([lastPosition, unread]).toEqual([gone, 0]);
      expect(lastMessage).toMatchObject({ content: { kind: 'deleted' }, deleted: true });
      expect(JSON.stringify(lastMessage)).not.toContain('words');
    });
  });

  it('hides a message and its changes from who came later', async () => {
    const id = await pair();
    const [old] = await say(id, 'old');
    const [joined] = await say(id, 'boundary');
    await eventually(async () => expect(await history(bob.id, id)).toHaveLength(3));
    const from = joined!.position;
    await fixture.rows(
      'UPDATE members SET from_position = $3 WHERE conversation_id = $1 AND user_id = $2',
      [id, bob.id, from],
    );
    const change = changeOf(old!.message, old!.position, 'edited');
    const [at] = await fixture.appendChanges([change]);
    const answer: SyncedConversation = await sync(bob.id, id, from);
    expect([answer.messages, answer.upTo]).toEqual([[], at]);
    expect(await history(bob.id, id)).toEqual([]);
    expect(await get(old!.message, bob.id, uuidv7())).toMatchObject({ message: null });
    expect((await get(old!.message, ann.id, uuidv7())).message).toMatchObject({ version: at });
    // nor does he learn that this id of a change is taken
    expect(await get(old!.message, bob.id, change.changeId)).toMatchObject({ change: null });
    const own = await get(old!.message, ann.id, change.changeId);
    expect(own.change).toMatchObject({ position: at });
  });

  it('tells what a change meets: message, role, the id before it, the entry before it', async () => {
    const id = await pair();
    const [first, second] = await say(id, 'one', 'two');
    const changeId = uuidv7();
    const change = changeOf(first!.message, first!.position, 'edited', { changeId });
    const [at] = await fixture.appendChanges([change]);
    const next = String(BigInt(at!));
    const found = await get(first!.message, bob.id, changeId, next);
    expect(found).toMatchObject({
      message: { position: first!.position, version: at, content: { text: 'edited' } },
      role: 'member',
      change: {
        position: at,
        userId: ann.id,
        messageId: change.messageId,
        hash: change.changeHash,
      },
      previous: second!.position,
      applied: true,
    });
    const [last] = await fixture.appendChanges([changeOf(first!.message, first!.position, null)]);
    const gone = await get(first!.message, ann.id, changeId, String(BigInt(last!)));
    expect(gone).toMatchObject({
      message: { deleted: true, version: last },
      change: { position: at, hash: null },
      previous: at,
    });
    const nothing = await get(messageOf(id, ann.id, 'never'), ann.id, uuidv7());
    expect(nothing).toMatchObject({ message: null, change: null, previous: null, applied: true });
    const far = await rpc().call(
      'messages.get',
      {
        userId: ann.id,
        conversationId: id,
        messageId: uuidv7(),
        changeId: uuidv7(),
        next: String(BigInt(last!) + 1_000n),
        waitMs: 50,
      },
      PATIENT,
    );
    expect(far.applied).toBe(false);
    const eve = await newUser(one.rpc, 'eve');
    const hers = await get(first!.message, eve.id, changeId);
    expect(hers).toEqual({ ...OUTSIDE, applied: true });
    const elsewhere = messageOf(`${id}x`, ann.id, 'never');
    expect(await get(elsewhere, eve.id, changeId)).toEqual({ ...OUTSIDE, applied: true });
  });

  it('tells somebody who was removed what became of their own changes, and nothing else', async () => {
    const asked = { userId: ann.id, requestId: uuidv7(), title: 'A group', userIds: [bob.id] };
    const made = await one.rpc.call('conversations.group', asked, PATIENT);
    const { id } = made.conversation;
    const messages = ['mine', 'mine, too'].map((text) =>
      messageOf(id, bob.id, text, { meta: { text } }),
    );
    const places = await fixture.append(messages);
    const [mine, other] = messages as [MessageSent, MessageSent];
    const edit = changeOf(mine, places[0]!, 'better');
    const foreign = changeOf(other, places[1]!, null, { userId: ann.id });
    const [at] = await fixture.appendChanges([edit, foreign]);
    const removal = { userId: ann.id, conversationId: id, memberId: bob.id };
    await one.rpc.call('members.remove', removal, PATIENT);
    // storage is behind what was appended: that is no answer yet, and no refusal
    const far = String(BigInt(at!) + 1_000n);
    expect(await get(mine, bob.id, uuidv7(), far)).toEqual({ ...OUTSIDE, applied: false });
    const answer = await get(mine, bob.id, edit.changeId, at);
    expect(answer).toEqual({
      message: {
        conversationId: id,
        messageId: mine.messageId,
        senderId: bob.id,
        position: places[0]!,
        sentAt: mine.sentAt,
        version: at,
        content: { kind: 'deleted' },
        deleted: true,
      },
      visible: false,
      role: null,
      change: { position: at, messageId: mine.messageId, userId: bob.id, hash: edit.changeHash },
      previous: null,
      applied: true,
    });
    // what others have done to it since is not his to know
    const [last] = await fixture.appendChanges([
      changeOf(mine, places[0]!, null, { userId: ann.id }),
    ]);
    const later = await get(mine, bob.id, edit.changeId, last);
    expect(later).toEqual({ ...answer, change: { ...answer.change, hash: null } });
    // nor what others have done at all, nor his message without a change of his
    expect(await get(other, bob.id, foreign.changeId)).toEqual({ ...OUTSIDE, applied: true });
    expect(await get(mine, bob.id, uuidv7())).toEqual({ ...OUTSIDE, applied: true });
    expect(await get(other, bob.id, edit.changeId)).toMatchObject({ message: null });
  });

  it('counts changes in the chain that routing asks for', async () => {
    const id = await pair();
    const [first] = await say(id, 'one');
    const [at] = await fixture.appendChanges([changeOf(first!.message, first!.position, 'two')]);
    const [last] = await say(id, 'three');
    await eventually(async () => expect(await history(ann.id, id)).toHaveLength(3));
    const below = async (bound: string) => {
      const conversations = [{ conversationId: id, below: bound }];
      const { items } = await rpc().call('conversations.routing', { conversations }, PATIENT);
      return items[0]!.lastPosition;
    };
    expect(await below(last!.position)).toBe(at);
    expect(await below(at!)).toBe(first!.position);
    expect(await below(String(BigInt(last!.position) + 1n))).toBe(last!.position);
  });

  it('a send that comes again after an edit is the first one still', async () => {
    const id = await pair();
    const [first] = await say(id, 'one');
    await fixture.appendChanges([changeOf(first!.message, first!.position, 'two')]);
    await eventually(async () => expect((await history(ann.id, id)).map(textOf)[1]).toBe('two'));
    await fixture.append([first!.message]);
    const after = await history(ann.id, id);
    expect(after.map(textOf)).toEqual(['event', 'two']);
    const { items } = await rpc().call(
      'messages.first',
      { ids: [{ conversationId: id, messageId: first!.message.messageId }], waitMs: 0 },
      PATIENT,
    );
    const { contentHash } = first!.message;
    expect(items[0]!.first).toMatchObject({ position: first!.position, contentHash });
  });
});
