import type { Stack } from '../../tools/stack/stack';
import { TinyClient } from '../protocol/tiny-client';
import { tinyDigest } from '../protocol/tiny-ids';
import type { TinyMessage, TinySynced } from '../protocol/tiny-store';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';

const PASSWORD = 'correct horse battery staple';

describe('a client written from docs/PROTOCOL.md alone', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: TinyClient;
  let bob: TinyClient;
  let conversationId: string;
  let groupId: string;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    const [first, second] = stack.gatewayUrls as [string, string];
    ann = await newClient(first, 'tiny_ann');
    bob = await newClient(second, 'tiny_bob');
  }, 240_000);
  afterAll(async () => {
    ann?.disconnect();
    bob?.disconnect();
    await stop?.();
  });

  async function newClient(base: string, name: string): Promise<TinyClient> {
    const client = new TinyClient(base);
    await client.register(name, PASSWORD);
    await client.login(name, PASSWORD);
    await client.connect();
    return client;
  }

  /** The digest that the server shows of a conversation. */
  const digest = async (client: TinyClient, id = conversationId): Promise<unknown> =>
    (await client.http('GET', `/v1/conversations/${id}`)).body['digest'];
  const newGroup = async (title: string): Promise<string> => {
    const group = { kind: 'group', requestId: title, title, userIds: [bob.userId] };
    return String((await ann.http('POST', '/v1/conversations', group)).body['id']);
  };
  const stateOf = (client: TinyClient, id: string): string[] =>
    client.store.states.filter((s) => s.conversationId === id).map((s) => s.state);
  const textsOf = (messages: readonly TinyMessage[]): (string | undefined)[] =>
    messages.map((m) => m.content?.text ?? m.content?.kind);

  /** What a device that knows nothing is told, and the whole history, agree with a client's view. */
  async function agreesWithCold(client: TinyClient, name: string): Promise<void> {
    const cold = new TinyClient(stack.gatewayUrls[0]!);
    await cold.login(name, PASSWORD);
    await cold.connect();
    const ids = [...client.store.conversations.keys()].sort();
    expect([...cold.store.conversations.keys()].sort()).toEqual(ids);
    for (const id of ids) {
      expect(cold.store.digestOf(id)).toBe(client.store.digestOf(id));
      expect(client.store.digestOf(id)).toBe(await digest(client, id));
      const page = await cold.http('GET', `/v1/conversations/${id}/messages?limit=200`);
      const held = client.store.shown(id).map(essence);
      expect((page.body['items'] as TinyMessage[]).map(essence)).toEqual(held);
    }
    cold.disconnect();
  }
  const essence = ({ position, messageId, version, content, deleted }: TinyMessage) => ({
    position,
    messageId,
    version,
    content,
    deleted,
  });

  it('passes the digest vectors', () => {
    const ten = Array.from({ length: 10 }, (_, i) => {
      return `${2000 + 3 * i}:01890a5d-ac96-774b-bcce-b302099a80${10 + i}:0`;
    });
    const two = [
      '1041:01890a5d-ac96-774b-bcce-b302099a8057:0',
      '1042:01890a5d-ac97-7c3a-8f10-2b7d5c7e9a11:1050',
    ];
    expect([two, [], ten].map(tinyDigest)).toEqual([
      'dRGyoQGaKU0V5JbQMtsNhw0lYfEK9SIaad8N1Llzd40',
      'nQ_UUihfPJtD8Rhs0NMs1tNmGxvGjA1yJM4b4643YOU',
      '9_01NSQAcR4ZxJBV-LFysGrNcVfR-pbwcbBEe0NL01k',
    ]);
  });

  it('chats, and holds what the server and the other end hold', async () => {
    await ann.say({ to: bob.userId }, 'hello');
    conversationId = await eventually(() => {
      const [id] = bob.store.conversations.keys();
      expect(id).toBeDefined();
      return id!;
    });
    for (let i = 0; i < 40; i++) {
      await (i % 2 ? bob : ann).say({ conversationId }, `line ${i} ✓`);
    }
    await eventually(() => {
      expect(bob.store.shown(conversationId)).toHaveLength(42);
      expect(ann.store.shown(conversationId)).toEqual(bob.store.shown(conversationId));
    });
    await eventually(async () => {
      const own = [ann, bob].map((client) => client.store.digestOf(conversationId));
      expect(own).toEqual([await digest(ann), await digest(bob)]);
    });
  });

  it('finds by sync what happened while it was away, and a cold client agrees', async () => {
    groupId = await newGroup('together');
    const ongoingId = await newGroup('ongoing');
    for (const id of [groupId, ongoingId]) {
      await ann.say({ conversationId: id }, 'all here');
      await eventually(() => expect(bob.store.shown(id)).toHaveLength(2));
    }
    const held = bob.store.shown(conversationId);
    bob.disconnect();

    const own = (fromEnd: number): TinyMessage => {
      const message = held.at(-fromEnd)!;
      expect([message.senderId, message.content?.kind]).toEqual([ann.userId, 'text']);
      return message;
    };
    const [edited, deleted] = [own(30), own(6)];
    const version = await ann.change(edited, 'said otherwise');
    await ann.change(deleted, null);
    await ann.say({ conversationId }, 'are you there?');
    await ann.say({ conversationId: ongoingId }, 'nothing else has changed');
    const freshId = await newGroup('apart');
    await ann.say({ conversationId: freshId }, 'somebody new');
    const path = `/v1/conversations/${groupId}/members/${bob.userId}`;
    expect((await ann.http('DELETE', path)).status).toBe(204);

    bob.store.states.length = 0;
    await bob.connect();
    const states = [conversationId, ongoingId, freshId, groupId].map((id) => stateOf(bob, id));
    expect(states).toEqual([['behind'], ['behind'], ['new'], ['gone']]);
    const shown = bob.store.shown(conversationId);
    expect(shown).toHaveLength(held.length + 1);
    expect(shown.at(-1)?.content?.text).toBe('are you there?');
    const [first, second] = [edited, deleted].map(({ messageId }) =>
      shown.find((m) => m.messageId === messageId),
    );
    expect(first).toMatchObject({ content: { text: 'said otherwise' }, version });
    expect(second).toMatchObject({ content: { kind: 'deleted' }, deleted: true });
    expect(textsOf(bob.store.shown(freshId))).toEqual(['event', 'somebody new']);
    expect(bob.store.conversations.has(groupId)).toBe(false);
    await agreesWithCold(bob, 'tiny_bob');
  });

  it('finds that messages expired while it was away, those it held and those it never saw', async () => {
    const id = await newGroup('fleeting');
    await ann.say({ conversationId: id }, 'stays');
    const patch = { messageTtlSeconds: 10 };
    expect((await ann.http('PATCH', `/v1/conversations/${id}`, patch)).status).toBe(200);
    // the documented grace of a change of the lifetime
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await ann.say({ conversationId: id }, 'seen');
    await eventually(() => {
      const texts = ['event', 'stays', 'event', 'seen'];
      expect(textsOf(bob.store.shown(id))).toEqual(texts);
    });
    expect(bob.store.shown(id).at(-1)?.expiresAt).toBeDefined();
    bob.disconnect();
    await ann.say({ conversationId: id }, 'never seen');
    await eventually(async () => {
      const page = await ann.http('GET', `/v1/conversations/${id}/messages`);
      expect(textsOf(page.body['items'] as TinyMessage[])).toEqual(['event', 'stays', 'event']);
    }, 30_000);
    bob.store.states.length = 0;
    await bob.connect();
    expect(['same', 'behind']).toContain(stateOf(bob, id)[0]);
    expect(textsOf(bob.store.shown(id))).toEqual(['event', 'stays', 'event']);
    await agreesWithCold(bob, 'tiny_bob');
  });

  it('is told that nothing has changed when it asks again', async () => {
    bob.store.states.length = 0;
    await bob.sync();
    expect(bob.store.states).not.toEqual([]);
    expect(bob.store.states.every(({ state }) => state === 'same')).toBe(true);
  });

  it('is told by a digest that its copy is another one, and only of that conversation', async () => {
    const id = await newGroup('mended');
    await ann.say({ conversationId: id }, 'first');
    await ann.say({ conversationId: id }, 'second');
    await eventually(() => expect(bob.store.shown(id)).toHaveLength(3));
    await bob.sync();
    const asked = bob.store.asked();
    const listed = asked['conversations'] as { conversationId: string; digest?: string }[];
    const ofIt = listed.find(({ conversationId }) => conversationId === id)!;
    expect(ofIt.digest).toBe(await digest(bob, id));
    const others = listed.filter((one) => one !== ofIt);
    expect(others).not.toEqual([]);

    // over HTTP, with each digest that is not that of what it holds
    const states = async (mine: object): Promise<Map<string, string>> => {
      const body = { ...asked, conversations: [...others, { ...ofIt, ...mine }] };
      const answer = await bob.http('POST', '/v1/sync', body);
      expect([answer.status, answer.body['complete']]).toEqual([200, true]);
      const parts = answer.body['conversations'] as TinySynced['conversations'];
      return new Map(parts.map(({ conversationId, state }) => [conversationId, state]));
    };
    const rest = others.map(({ conversationId }) => [conversationId, 'same'] as const);
    expect(await states({})).toEqual(new Map([...rest, [id, 'same']]));
    for (const wrong of [tinyDigest([]), others[0]!.digest]) {
      expect(await states({ digest: wrong })).toEqual(new Map([...rest, [id, 'reset']]));
    }

    // over its socket, after its copy was spoilt: it drops that copy and holds the right one
    const held = bob.store.conversations.get(id)!.messages;
    const [first] = bob.store.shown(id).slice(1);
    held.set(first!.messageId, {
      ...first!,
      version: '1',
      content: { kind: 'text', text: 'not so' },
    });
    bob.store.states.length = 0;
    await bob.sync();
    expect(stateOf(bob, id)).toEqual(['reset']);
    expect(bob.store.states.filter(({ state }) => state !== 'same')).toHaveLength(1);
    expect(textsOf(bob.store.shown(id))).toEqual(['event', 'first', 'second']);
    await agreesWithCold(bob, 'tiny_bob');
    bob.store.states.length = 0;
    await bob.sync();
    expect(stateOf(bob, id)).toEqual(['same']);
  });

  it('sees who is here, where their app is, and when they leave', async () => {
    await ann.watch([bob.userId]);
    const isNow = (status: string) =>
      eventually(() => expect(ann.here.get(bob.userId)?.status).toBe(status));
    await isNow('online');
    bob.state('background');
    await isNow('away');
    bob.state('front');
    await isNow('online');
    const { body } = await ann.http('GET', `/v1/presence?userIds=${bob.userId}`);
    const [item] = body['items'] as { status: string; version: number }[];
    expect(item!.status).toBe('online');
    expect(item!.version).toBeGreaterThan(ann.here.get(bob.userId)!.version);
    bob.disconnect();
    await isNow('offline');
    expect(ann.here.get(bob.userId)?.lastSeenAt).not.toBeNull();
  });
});
