import { CLOSE_CODES } from '@tidings/common/contracts/close-codes';
import type { SyncRequest } from '@tidings/common/contracts/frames';
import { LIMITS } from '@tidings/common/contracts/limits';
import { uuidV7Time } from '@tidings/common/contracts/ids';
import { FakeClock, settle } from '../testing/fake-clock';
import { CONVERSATION, id, ME, message, PEER, served, welcome } from '../testing/factories';
import { FakeTransport, type FakeSocket } from '../testing/fake-transport';
import { TidingsClient } from './client';
import { StoppedError } from './errors';
import { nodeSha256 } from './node/sha256';
import { MemoryOutboxStore } from './outbox-store';
import { DELAYED_MS, SYNC_ANSWER_MS } from './sync-runner';
import type { SavedSession } from './tokens';

class Bench {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly store = new MemoryOutboxStore();
  readonly saved: (SavedSession | null)[] = [];
  readonly log: string[] = [];
  readonly client: TidingsClient;

  constructor() {
    this.client = new TidingsClient({
      servers: ['http://one'],
      transport: this.transport,
      sha256: nodeSha256,
      outbox: this.store,
      saveSession: (session) => {
        this.saved.push(session);
      },
      fetch: () => Promise.resolve(new Response(JSON.stringify(DIRECTORY))),
      clock: this.clock,
      random: () => 0.5,
    });
    this.client.restore(SESSION);
    this.client.on('state', ({ state }) => this.log.push(state));
    this.client.on('stopped', ({ code }) => this.log.push(`code ${code}`));
    this.client.on('failed', (e) => this.log.push(`failed ${e.code}${e.void ? ' void' : ''}`));
    this.client.on('problem', ({ kind }) => this.log.push(kind));
  }

  get socket(): FakeSocket {
    return this.transport.last;
  }

  async online(serverTime?: string): Promise<void> {
    await this.client.start();
    await settle();
    this.socket.receive(welcome('g1', serverTime ? { serverTime } : {}));
    await settle();
  }

  /** Answers the last sync. */
  answer(body: object = {}): void {
    const { ref } = this.socket.frames<{ ref: string }>('sync').at(-1)!;
    const whole = { conversations: [], since: 's1', complete: true, ...body };
    this.socket.receive({ type: 'synced', ref, ...whole });
  }
}

const DIRECTORY = {
  ticket: 't',
  expiresInSeconds: 30,
  gateways: [
    { id: 'g1', url: 'ws://g1/' },
    { id: 'g2', url: 'ws://g2/' },
  ],
  heartbeatSeconds: 25,
  backoff: { baseMs: 100, maxMs: 1000 },
};
const SESSION: SavedSession = {
  user: { id: ME, username: 'me', firstName: 'Me' },
  deviceId: '00000000-0000-7000-8000-0000000000d1',
  accessToken: 'a',
  refreshToken: 'r',
  expiresAt: Infinity,
};
const pushed = (position: number, previous: number, more = {}) => ({
  type: 'message',
  ...message(position, more),
  previous: String(previous),
});
const SENT_AT = '2026-01-01T00:00:00.000Z';

describe('client', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
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
        ...{ type: 'conversation', conversationId: CONVERSATION, position: String(position) },
        ...{ previous: String(previous), messageId: message(position).messageId },
        ...{ senderId: PEER, sentAt: message(position).sentAt },
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

  it('makes ids from the time of the server', async () => {
    await bench.online('2030-01-01T00:00:00.000Z');
    const { messageId } = bench.client.send({ to: PEER, text: 'x' });
    expect(uuidV7Time(messageId)).toBe(Date.parse('2030-01-01T00:00:00.000Z'));
  });

  it.each(['sent', 'own push', 'sync'])('takes the id back from %s', async (how) => {
    await bench.online();
    const outgoing = bench.client.send({ conversationId: CONVERSATION, text: 'hello' });
    const { messageId } = outgoing;
    expect(outgoing.state).toBe('sending');
    const own = message(7, { messageId, senderId: ME });
    if (how === 'sent') {
      const place = { conversationId: CONVERSATION, position: '7', sentAt: SENT_AT };
      bench.socket.receive({ type: 'sent', messageId, ...place });
    } else if (how === 'own push') {
      bench.socket.receive({ type: 'message', ...own, previous: '0' });
    } else {
      bench.answer({ conversations: [served('new', 7, [own])] });
    }
    expect(await outgoing.settled()).toMatchObject({ state: 'sent', place: { position: '7' } });
    expect(bench.client.unsent).toEqual([]);
    expect(bench.store.load()).toEqual([]);
  });

  it('drops a sent message whose id turns out to be taken', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 5, [message(5)])] });
    const { messageId } = bench.client.send({ conversationId: CONVERSATION, text: 'hello' });
    const place = { conversationId: CONVERSATION, position: '7', sentAt: SENT_AT };
    bench.socket.receive({ type: 'sent', messageId, ...place });
    expect(bench.client.messages(CONVERSATION)).toHaveLength(2);
    const error = { type: 'error', code: 'message_id_conflict', detail: 'd', retryable: false };
    bench.socket.receive({ ...error, messageId });
    expect(bench.client.messages(CONVERSATION)).toHaveLength(1);
    expect(bench.log).toContain('failed message_id_conflict void');
  });

  it.each([
    ['exactly the limit', 'é'.repeat(LIMITS.textBytes / 2), null],
    ['one byte more', 'é'.repeat(LIMITS.textBytes / 2) + 'x', 'text_too_long'],
    ['NUL', 'a\u0000', 'invalid_request'],
    ['a lone surrogate', 'a\ud800', 'invalid_request'],
    ['a frame that gets too large', '\u0001'.repeat(LIMITS.textBytes), 'payload_too_large'],
  ])('text with %s', async (_, text, code) => {
    await bench.online();
    const send = () => bench.client.send({ to: PEER, text });
    if (code === null) expect(send().state).toBe('sending');
    else expect(send).toThrow(expect.objectContaining({ code }));
  });

  it('sends what a message carries, and keeps it with its place', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 9, [message(9)])] });
    const extras = { replyTo: id(9), mentions: [PEER], meta: { a: 1 } };
    const content = { kind: 'custom', data: [1] } as const;
    const { messageId } = bench.client.send({ conversationId: CONVERSATION, content, ...extras });
    const [frame] = bench.socket.frames('send');
    expect(frame).toMatchObject({ messageId, content, ...extras });
    const place = { conversationId: CONVERSATION, position: '12', sentAt: SENT_AT };
    bench.socket.receive({ type: 'sent', messageId, ...place });
    expect(bench.client.messages(CONVERSATION).at(-1)).toMatchObject({ content, ...extras });
    const tooLarge = () =>
      bench.client.send({ to: PEER, text: 'x', meta: 'y'.repeat(LIMITS.metaBytes - 1) });
    expect(tooLarge).toThrow(expect.objectContaining({ code: 'payload_too_large' }));
  });

  it('edits and deletes, and settles with what comes back', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 9, [message(9)])] });
    const place = { conversationId: CONVERSATION, messageId: id(9) };
    const edit = bench.client.edit({ ...place, text: 'better' });
    await settle();
    const [asked] = bench.socket.frames<{ changeId: string }>('edit');
    expect(asked).toMatchObject({ ...place, content: { kind: 'text', text: 'better' } });
    const after = message(9, { version: '12', content: { kind: 'text', text: 'better' } });
    const { changeId } = asked!;
    bench.socket.receive({ type: 'changed', ...after, changeId, previous: '9' });
    expect(await edit).toEqual(after);
    expect(bench.client.messages(CONVERSATION)).toEqual([after]);
    expect(bench.client.conversation(CONVERSATION)!.have).toBe('12');
    const gone = bench.client.deleteMessage(place);
    await settle();
    const ref = bench.socket.frames<{ changeId: string }>('delete')[0]!.changeId;
    bench.socket.receive({ type: 'error', ref, code: 'not_allowed', detail: '', retryable: false });
    await expect(gone).rejects.toMatchObject({ code: 'not_allowed' });
    const late = bench.client.deleteMessage(place);
    await settle();
    await bench.client.stop();
    await expect(late).rejects.toThrow(StoppedError);
    await expect(bench.client.deleteMessage(place)).rejects.toThrow(StoppedError);
  });

  it('changes a message only when it is in the log', async () => {
    await bench.online();
    bench.answer();
    const { messageId } = bench.client.send({ conversationId: CONVERSATION, text: 'x' });
    const place = { conversationId: CONVERSATION, messageId };
    const edit = bench.client.edit({ ...place, text: 'y' });
    await settle();
    expect(bench.socket.frames('edit')).toEqual([]);
    bench.socket.receive({ type: 'sent', ...place, position: '12', sentAt: SENT_AT });
    await settle();
    expect(bench.socket.frames('edit')).toHaveLength(1);
    await expect(bench.client.edit({ ...place, text: 'a\u0000' })).rejects.toMatchObject({
      code: 'invalid_request',
    });
    edit.catch(() => undefined);
  });

  it('keeps what is written offline, and settles it as stopped at the end', async () => {
    await bench.client.start();
    const outgoing = bench.client.send({ to: PEER, text: 'later' });
    expect(outgoing.state).toBe('waiting');
    const settled = outgoing.settled();
    const synced = bench.client.whenSynced();
    await bench.client.stop();
    expect(await settled).toEqual({ state: 'stopped' });
    await expect(synced).rejects.toThrow(StoppedError);
    expect(bench.store.load()).toHaveLength(1);
    expect(() => bench.client.send({ to: PEER, text: 'x' })).toThrow(StoppedError);
    await expect(bench.client.start()).rejects.toThrow(StoppedError);
  });

  it('takes up what an earlier run left', async () => {
    const content = { kind: 'text', text: 'old' } as const;
    bench.store.add({ messageId: message(1).messageId, to: PEER, content, writtenAt: 0 });
    await bench.online();
    expect(bench.client.unsent.map((o) => o.text)).toEqual(['old']);
    expect(bench.socket.frames('send')).toEqual([
      { type: 'send', messageId: message(1).messageId, to: PEER, content, retry: true },
    ]);
  });

  it.each([
    [CLOSE_CODES.loggedOut, true],
    [CLOSE_CODES.accountDisabled, true],
    [CLOSE_CODES.replacedByLogin, true],
    [CLOSE_CODES.sameDeviceElsewhere, false],
    [CLOSE_CODES.protocolError, false],
  ])('stops on %i; forgets the session: %s', async (code, forgets) => {
    await bench.online();
    bench.socket.end(code);
    await settle();
    expect(bench.log.slice(-2)).toEqual(['stopped', `code ${code}`]);
    expect(bench.saved).toEqual(forgets ? [null] : []);
  });

  it('passes on what it is told about others', async () => {
    await bench.online();
    const pending: unknown[] = [];
    bench.client.on('pending', (event) => pending.push(event));
    const frame = { type: 'pending', conversationId: CONVERSATION, messageId: 'm', position: '1' };
    bench.socket.receive({ ...frame, offline: [PEER] });
    expect(pending).toEqual([expect.objectContaining({ offline: [PEER] })]);
  });

  it('learns direct conversations from their creation and writes to them', async () => {
    await bench.online();
    bench.answer();
    bench.socket.receive({
      type: 'conversation',
      ...{ conversationId: CONVERSATION, position: '1', previous: '0', messageId: 'm' },
      ...{ senderId: PEER, sentAt: SENT_AT },
      change: { kind: 'created', conversationKind: 'direct', userIds: [PEER, ME] },
    });
    expect(bench.client.directWith(PEER)).toBe(CONVERSATION);
    bench.client.send({ to: PEER, text: 'x' });
    expect(bench.socket.frames('send')[0]).toMatchObject({ conversationId: CONVERSATION });
  });
});
