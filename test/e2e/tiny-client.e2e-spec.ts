import type { Stack } from '../../tools/stack/stack';
import { TinyClient, tinyDigest } from '../protocol/tiny-client';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';

const PASSWORD = 'correct horse battery staple';

describe('a client written from docs/PROTOCOL.md alone', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: TinyClient;
  let bob: TinyClient;
  let conversationId: string;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    const [first, second] = stack.gatewayUrls as [string, string];
    ann = new TinyClient(first);
    bob = new TinyClient(second);
    for (const [client, name] of [[ann, 'tiny_ann'] as const, [bob, 'tiny_bob'] as const]) {
      await client.register(name, PASSWORD);
      await client.login(name, PASSWORD);
      await client.connect();
    }
  }, 240_000);
  afterAll(async () => {
    ann?.disconnect();
    bob?.disconnect();
    await stop?.();
  }, 60_000);

  const digest = async (client: TinyClient): Promise<unknown> =>
    (await client.http('GET', `/v1/conversations/${conversationId}`)).body['digest'];

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
      const [id] = bob.conversations.keys();
      expect(id).toBeDefined();
      return id!;
    });
    for (let i = 0; i < 40; i++) {
      await (i % 2 ? ann : bob).say({ conversationId }, `line ${i} ✓`);
    }
    await eventually(() => {
      expect(bob.shown(conversationId)).toHaveLength(42);
      expect(ann.shown(conversationId).map((m) => m.position)).toEqual(
        bob.shown(conversationId).map((m) => m.position),
      );
    });
    await eventually(async () => {
      expect([ann.digestOf(conversationId), bob.digestOf(conversationId)]).toEqual([
        await digest(ann),
        await digest(bob),
      ]);
    });
  });

  it('finds what happened while it was away, and a cold client agrees', async () => {
    bob.disconnect();
    await ann.say({ conversationId }, 'are you there?');
    const carol = new TinyClient(stack.gatewayUrls[0]!);
    await carol.register('tiny_carol', PASSWORD);
    await carol.login('tiny_carol', PASSWORD);
    await carol.connect();
    await carol.say({ to: bob.userId }, 'somebody new');
    bob.states.length = 0;
    await bob.connect();
    const states = bob.states.map(({ state }) => state).sort();
    expect(states).toEqual(['behind', 'new']);
    expect(bob.shown(conversationId).at(-1)?.content?.text).toBe('are you there?');
    bob.states.length = 0;
    await bob.sync();
    expect(bob.states.every(({ state }) => state === 'same')).toBe(true);

    const cold = new TinyClient(stack.gatewayUrls[0]!);
    await cold.login('tiny_bob', PASSWORD);
    await cold.connect();
    for (const id of bob.conversations.keys()) {
      expect(cold.digestOf(id)).toBe(bob.digestOf(id));
    }
    carol.disconnect();
    cold.disconnect();
  });
});
