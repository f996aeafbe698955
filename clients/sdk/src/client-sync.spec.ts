import type { SyncRequest } from '@tidings/protocol/frames';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import { ClientBench, pushed } from '../testing/client-bench';
import { settle } from '../testing/fake-clock';
import { CONVERSATION, ME, message, PEER, served, welcome } from '../testing/factories';
import { DELAYED_MS, SYNC_ANSWER_MS } from './sync-runner';

describe('client, in step with the server', () => {
  let bench: ClientBench;
  beforeEach(() => {
    bench = new ClientBench();
  });
  afterEach(async () => {
    await bench.client.stop();
    expect(bench.clock.pending).toBe(0);
  });

  it('syncs as a new device first, then from where it was', async () => {
    await bench.online();
    expect(bench.socket.frames('sync')).toEqual([
      { type: 'sync', ref: expect.any(String), asOf: '2026-11-21T10:00:00.000Z' },
    ]);
    bench.answer({ conversations: [served('new', 9, [message(9)])] });
    bench.socket.receive(pushed(11, 9));
    bench.socket.end();
    await bench.clock.pass(100);
    bench.socket.receive(welcome('g2'));
    await settle();
    expect(bench.socket.frames('sync')).toEqual([
      expect.objectContaining({
        since: 's1',
        conversations: [
          { conversationId: CONVERSATION, position: '11', digest: expect.any(String) },
        ],
      }),
    ]);
    expect(bench.log).toEqual(['connecting', 'online', 'connecting', 'online']);
  });

  it('asks for a conversation that it does not know, unless it was pushed from its beginning', async () => {
    await bench.online();
    bench.answer({ conversations: [], complete: true });
    await settle();
    const asked = () => bench.socket.frames<SyncRequest>('sync').length;
    bench.socket.receive(pushed(5, 0, { conversationId: EVERYONE_ID }));
    await bench.clock.pass(100);
    expect([asked(), bench.client.conversation(EVERYONE_ID)!.have]).toEqual([1, '5']);
    bench.socket.receive(pushed(6, 5));
    await bench.clock.pass(100);
    expect(asked()).toBe(2);
  });

  it('asks within a frame, however many conversations it holds and however long since is', async () => {
    await bench.online();
    const conversations = Array.from({ length: LIMITS.syncListed }, (_, n) => ({
      ...served('new', 9, [message(9, { conversationId: `${n}`.padStart(43, 'c') })]),
    }));
    bench.answer({ conversations, since: 's'.repeat(LIMITS.sinceChars) });
    bench.socket.end();
    await bench.clock.pass(100);
    bench.socket.receive(welcome('g2'));
    await settle();
    const sync = bench.socket.sent.find((text) => text.includes('"sync"'))!;
    expect(sync.length).toBeLessThanOrEqual(LIMITS.clientFrameBytes);
    expect((JSON.parse(sync) as SyncRequest).conversations!.length).toBeGreaterThan(300);
  });

  it('settles whenSynced with a complete answer, again after a reconnect', async () => {
    await bench.online();
    let done = 0;
    void bench.client.whenSynced().then(() => done++);
    bench.answer({ complete: false });
    await settle();
    expect(done).toBe(0);
    await bench.clock.pass(1_000);
    bench.answer();
    await settle();
    expect(done).toBe(1);
    await bench.client.whenSynced();
  });

  it('asks for the continuation of an incomplete answer at once', async () => {
    await bench.online();
    const conversations = [served('new', 9, [message(9)])];
    bench.answer({ conversations, complete: false, since: 'middle' });
    expect(bench.socket.frames('sync')[1]).toMatchObject({ since: 'middle' });
    expect(bench.socket.frames('sync')[1]).not.toHaveProperty('conversations');
  });

  it('after a delayed answer waits for resync, or asks by itself some time later', async () => {
    await bench.online();
    bench.answer({ complete: false, delayed: true });
    bench.socket.receive(pushed(5, 3));
    await bench.clock.pass(5_000, 500);
    expect(bench.socket.frames('sync')).toHaveLength(1);
    bench.socket.receive({ type: 'resync', reason: 'caught up', withinMs: 1000 });
    await bench.clock.pass(450);
    expect(bench.socket.frames('sync')).toHaveLength(1);
    await bench.clock.pass(100);
    expect(bench.socket.frames('sync')).toHaveLength(2);
    bench.answer({ complete: false, delayed: true });
    await bench.clock.pass(DELAYED_MS + 2_000, 500);
    expect(bench.socket.frames('sync')).toHaveLength(3);
  });

  it('judges gaps only when no sync runs, and syncs that conversation alone', async () => {
    await bench.online();
    bench.socket.receive(pushed(5, 3));
    await settle();
    expect(bench.socket.frames('sync')).toHaveLength(1);
    bench.answer({ conversations: [served('new', 2, [message(2)])] });
    await settle();
    expect(bench.socket.frames('sync')[1]).toEqual({
      type: 'sync',
      ref: expect.any(String),
      asOf: expect.any(String),
      conversations: [{ conversationId: CONVERSATION, position: '2', digest: expect.any(String) }],
    });
    bench.answer({ conversations: [served('behind', 5, [message(3), message(5)])], since: 'no' });
    expect(bench.client.messages(CONVERSATION).map((m) => m.position)).toEqual(['2', '3', '5']);
    bench.socket.end();
    await bench.clock.pass(100);
    bench.socket.receive(welcome('g2'));
    await settle();
    expect(bench.socket.frames('sync')[0]).toMatchObject({ since: 's1' });
  });

  it('syncs the conversation of a message that it does not know', async () => {
    await bench.online();
    bench.answer();
    bench.socket.receive(pushed(5, 0));
    await settle();
    expect(bench.socket.frames<{ conversations: object[] }>('sync')[1]!.conversations).toEqual([
      { conversationId: CONVERSATION, position: '5', digest: expect.any(String) },
    ]);
  });

  it('does not ask in a loop for a gap that the server does not close', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 2, [message(2)])] });
    bench.socket.receive(pushed(9, 7));
    await settle();
    for (let seconds = 0; seconds < 60; seconds++) {
      bench.answer({ conversations: [served('same', 2)] });
      await bench.clock.pass(1_000, 250);
    }
    expect(bench.socket.frames('sync').length).toBeLessThan(20);
  });

  it('is done with a conversation whose sync came in several answers', async () => {
    await bench.online();
    bench.answer();
    bench.socket.receive(pushed(5, 0));
    await settle();
    const conversations = [served('behind', 5, [message(5)])];
    bench.answer({ conversations, complete: false, since: 'middle' });
    bench.answer();
    await bench.clock.pass(60_000, 1_000);
    expect(bench.socket.frames('sync')).toHaveLength(3);
  });

  it('asks again when an answer does not come or is refused for now', async () => {
    await bench.online();
    await bench.clock.pass(SYNC_ANSWER_MS + 100, 1_000);
    const syncs = bench.socket.frames<{ ref: string }>('sync');
    expect(syncs).toHaveLength(2);
    const error = { type: 'error', code: 'unavailable', detail: 'd', retryable: true };
    bench.socket.receive({ ...error, ref: syncs[1]!.ref, retryAfterMs: 3_000 });
    await bench.clock.pass(2_900);
    expect(bench.socket.frames('sync')).toHaveLength(2);
    await bench.clock.pass(1_200);
    expect(bench.socket.frames('sync')).toHaveLength(3);
  });

  it('starts anew when its since is refused for good, then checks what it holds', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 9, [message(9)])] });
    bench.socket.receive({ type: 'resync', reason: 'r', withinMs: 0 });
    await bench.clock.pass(50);
    const { ref } = bench.socket.frames<{ ref: string }>('sync').at(-1)!;
    const error = { type: 'error', code: 'invalid_request', detail: 'd', retryable: false };
    bench.socket.receive({ ...error, ref });
    await bench.clock.pass(1_000);
    expect(bench.socket.frames('sync').at(-1)).not.toHaveProperty('since');
    bench.answer();
    await settle();
    expect(bench.socket.frames('sync').at(-1)).toHaveProperty('conversations');
  });

  it('joins the parts of a split answer', async () => {
    await bench.online();
    const { ref } = bench.socket.frames<{ ref: string }>('sync')[0]!;
    const part = (n: number) => ({ conversations: [served('new', n, [message(n)], n === 1)] });
    bench.socket.receive({ type: 'synced', ref, ...part(1) });
    expect(bench.client.conversations()).toEqual([]);
    bench.socket.receive({ type: 'synced', ref, ...part(2), since: 's', complete: true });
    expect(bench.client.messages(CONVERSATION).map((m) => m.position)).toEqual(['1', '2']);
    expect(bench.client.conversation(CONVERSATION)!.hasOlder).toBe(true);
  });

  it('drops a group when its own removal is pushed, and syncs it when added again', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 9, [message(9)])] });
    const news: string[] = [];
    bench.client.on('conversation', ({ what }) => news.push(what));
    const change = (position: number, previous: number, kind: string, userId: string): void =>
      bench.socket.receive({
        type: 'conversation',
        conversationId: CONVERSATION,
        position: String(position),
        previous: String(previous),
        messageId: message(position).messageId,
        senderId: PEER,
        sentAt: message(position).sentAt,
        change: { kind, userIds: [userId], history: 'joined' },
      });
    change(10, 9, 'removed', PEER);
    expect(bench.client.conversations()).toEqual([CONVERSATION]);
    change(11, 10, 'removed', ME);
    expect(bench.client.conversations()).toEqual([]);
    expect(bench.client.messages(CONVERSATION)).toHaveLength(3);
    const syncs = bench.socket.frames('sync').length;
    change(20, 19, 'added', ME);
    expect(news).toEqual(['updated', 'gone', 'new']);
    expect(bench.client.conversations()).toEqual([CONVERSATION]);
    await settle();
    expect(bench.socket.frames('sync').slice(syncs)).toMatchObject([
      { conversations: [{ conversationId: CONVERSATION, position: '20' }] },
    ]);
    // What was held is of a membership that is over.
    expect(bench.client.messages(CONVERSATION).map((m) => m.position)).toEqual(['20']);
  });

  it('reports a conversation that differs twice in a row', async () => {
    await bench.online();
    for (let round = 0; round < 2; round++) {
      bench.answer({ conversations: [served('reset', 9, [message(9)])] });
      bench.socket.receive({ type: 'resync', reason: 'r', withinMs: 0 });
      await bench.clock.pass(50);
    }
    expect(bench.log).toContain('diverged');
  });

  describe('told that it is gone from a group it was added to meanwhile', () => {
    const added = {
      type: 'conversation',
      conversationId: CONVERSATION,
      position: '20',
      previous: '19',
      messageId: message(20).messageId,
      senderId: PEER,
      sentAt: message(20).sentAt,
      change: { kind: 'added', userIds: [ME], history: 'all' },
    };
    // The server repeats the position that was listed: the one up to which all is held.
    const gone = { conversations: [served('gone', 0)] };
    beforeEach(async () => {
      await bench.online();
      bench.answer();
      bench.socket.receive(added);
      await settle();
      expect(bench.socket.frames('sync').at(-1)).toMatchObject({
        conversations: [{ conversationId: CONVERSATION, position: '0' }],
      });
    });

    it('takes it as no older than its request', () => {
      bench.answer(gone);
      expect(bench.client.conversations()).toEqual([]);
    });

    it('takes it as older than an addition that is pushed after its request', () => {
      bench.socket.receive({ ...added, position: '30', messageId: message(30).messageId });
      bench.answer(gone);
      expect(bench.client.conversations()).toEqual([CONVERSATION]);
    });

    it('passes it over when the server is behind', () => {
      bench.answer({ ...gone, complete: false, delayed: true });
      expect(bench.client.conversations()).toEqual([CONVERSATION]);
    });
  });
});
