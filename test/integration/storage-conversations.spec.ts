import {
  codeOf,
  messageOf,
  newUser,
  type RunningStorage,
  StorageFixture,
  type TestUser,
} from './storage-support';

describe('storage: contacts and conversations', () => {
  let fixture: StorageFixture;
  let storage: RunningStorage;
  let ann: TestUser;
  let bob: TestUser;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    storage = await fixture.storage('storage-1');
    [ann, bob] = await Promise.all([newUser(storage.rpc, 'ann'), newUser(storage.rpc, 'bob')]);
  }, 240_000);

  afterAll(() => fixture?.stop(), 60_000);

  it('a direct conversation is made once', async () => {
    const made = await storage.rpc.call('conversations.direct', {
      userId: ann.id,
      otherId: bob.id,
    });
    expect(made.created).toBe(true);
    console.log(JSON.stringify(made));
    const again = await storage.rpc.call('conversations.direct', {
      userId: bob.id,
      otherId: ann.id,
    });
    console.log(JSON.stringify(again));
    expect(again.created).toBe(false);
    const [p] = await fixture.append([messageOf(made.conversation.id, ann.id, 'hello')]);
    const t = performance.now();
    console.log(
      p,
      JSON.stringify(
        await storage.rpc.call('sync', {
          userId: bob.id,
          request: {},
          barrier: await fixture.barrier(),
        }),
      ),
      performance.now() - t,
    );
    console.log(
      JSON.stringify(
        await storage.rpc.call('messages.history', {
          userId: bob.id,
          conversationId: made.conversation.id,
          limit: 10,
          barrier: await fixture.barrier(),
        }),
      ),
    );
    console.log(
      JSON.stringify(await storage.rpc.call('conversations.list', { userId: bob.id, limit: 10 })),
    );
    expect(
      await codeOf(storage.rpc.call('conversations.direct', { userId: bob.id, otherId: bob.id })),
    ).toBe('invalid_request');
  });
});
