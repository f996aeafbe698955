import type { SentFrame } from '@tidings/protocol/frames';
import {
  CONVERSATION,
  id,
  ME,
  message,
  outboxRecord,
  PEER,
  served,
  welcome,
} from '../testing/factories';
import { FakeClock, settle } from '../testing/fake-clock';
import { FakeTransport } from '../testing/fake-transport';
import { TidingsClient } from './client';
import { LONGEST_TIMER_MS } from './expiry';
import { nodeSha256 } from './node/sha256';
import { MemoryOutboxStore } from './outbox-store';

const NOW = Date.parse('2026-11-21T10:00:00.000Z');
const CANARY = 'canary-41d2';
const DAY_MS = 24 * 3_600_000;
const inMs = (ms: number): string => new Date(NOW + ms).toISOString();
const DIRECTORY = {
  ticket: 't',
  expiresInSeconds: 30,
  gateways: [{ id: 'g1', url: 'ws://g1/' }],
  heartbeatSeconds: 1e9,
  backoff: { baseMs: 100, maxMs: 1000 },
};

class Bench {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly client: TidingsClient;
  readonly log: string[] = [];

  constructor(readonly store = new MemoryOutboxStore()) {
    this.client = new TidingsClient({
      servers: ['http://one'],
      transport: this.transport,
      sha256: nodeSha256,
      outbox: store,
      fetch: () => Promise.resolve(new Response(JSON.stringify(DIRECTORY))),
      clock: this.clock,
      random: () => 0.5,
    });
    this.client.restore({
      user: { id: ME, username: 'me', firstName: 'Me' },
      deviceId: 'd',
      accessToken: 'a',
      refreshToken: 'r',
      expiresAt: Infinity,
    });
    this.client.on('message', (e) => this.log.push(`message ${Number(e.message.position)}`));
    this.client.on('expired', ({ messageIds }) =>
      this.log.push(`expired ${messageIds.map((one) => Number(one.slice(-6))).join(' ')}`),
    );
    this.client.on('failed', ({ code }) => this.log.push(`failed ${code}`));
    this.client.on('unread', ({ unread }) => this.log.push(`unread ${unread}`));
  }

  get socket() {
    return this.transport.last;
  }

  /** Connected at {@link NOW} by the server's clock, which is not the local one. */
  async online(serverTime = inMs(0)): Promise<void> {
    if (this.client.state === 'offline') await this.client.start();
    await settle();
    this.socket.receive(welcome('g1', { serverTime, heartbeatSeconds: 1e9 }));
    await settle();
  }

  answer(...conversations: object[]): void {
    const { ref } = this.socket.frames<{ ref: string }>('sync').at(-1)!;
    this.socket.receive({ type: 'synced', ref, conversations, since: 's', complete: true });
  }

  push(position: number, previous: number, more: object = {}): void {
    const frame = { type: 'message', ...message(position), previous: String(previous), ...more };
    this.socket.receive(frame);
  }

  event(position: number, previous: number, change: object): void {
    const { messageId, sentAt } = message(position);
    const place = { conversationId: CONVERSATION, position: String(position), messageId, sentAt };
    const frame = { type: 'conversation', ...place, previous: String(previous), senderId: PEER };
    this.socket.receive({ ...frame, change });
  }

  get shown(): number[] {
    return this.client.messages(CONVERSATION).map((m) => Number(m.position));
  }
}

/** Where a text is in what an object holds; null: nowhere. */
function pathOf(value: unknown, text: string, seen = new Set<unknown>()): string | null {
  if (typeof value === 'string') return value.includes(text) ? '' : null;
  if (typeof value !== 'object' || value === null || seen.has(value)) return null;
  seen.add(value);
  const inner = value instanceof Map || value instanceof Set ? Object.entries([...value]) : [];
  for (const [key, one] of [...inner, ...Object.entries(value)]) {
    const path = pathOf(one, text, seen);
    if (path !== null) return `.${key}${path}`;
  }
  return null;
}

describe('messages whose time is over', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(async () => {
    await bench.client.stop();
    expect(bench.clock.pending).toBe(0);
  });

  it('disappear on time, by the clock of the server, and with them what is unread', async () => {
    await bench.online();
    const messages = [
      message(1),
      message(2, { expiresAt: inMs(5_000) }),
      message(3, { expiresAt: inMs(9_000) }),
      message(4, { expiresAt: inMs(5_000), senderId: ME }),
    ];
    bench.answer(served('new', 4, messages));
    expect(bench.client.unread(CONVERSATION)).toBe(3);
    bench.log.length = 0;
    bench.clock.advance(4_999);
    expect(bench.shown).toEqual([1, 2, 3, 4]);
    bench.clock.advance(1);
    expect(bench.shown).toEqual([1, 3]);
    bench.clock.advance(4_000);
    expect(bench.shown).toEqual([1]);
    expect(bench.log).toEqual(['unread 2', 'expired 2 4', 'unread 1', 'expired 3']);
  });

  it('leave nothing of their text, however they came', async () => {
    await bench.online();
    bench.answer(served('new', 1, [message(1)]));
    const content = { kind: 'text', text: CANARY };
    const mortal = { content, expiresAt: inMs(1_000) };
    bench.push(2, 1, mortal);
    bench.push(9, 8, mortal);
    bench.socket.receive({
      type: 'changed',
      ...message(3),
      ...mortal,
      version: '10',
      previous: '9',
      changeId: id(500),
    });
    const own = bench.client.send({ conversationId: CONVERSATION, text: CANARY });
    const { messageId } = own;
    bench.push(11, 10, { ...mortal, messageId, senderId: ME });
    bench.clock.advance(999);
    expect(pathOf(bench.client, CANARY)).not.toBeNull();
    bench.clock.advance(1);
    bench.clock.advance(60_000);
    await settle();
    bench.socket.sent.length = 0;
    expect(pathOf(bench.client, CANARY)).toBeNull();
  });

  it('keep their place in the chain: what follows them is no gap', async () => {
    await bench.online();
    bench.answer(served('new', 1, [message(1)]));
    bench.push(5, 3, { expiresAt: inMs(1_000) });
    bench.clock.advance(1_000);
    await settle();
    bench.answer(served('behind', 3, [message(3)]));
    await settle();
    expect(bench.client.conversation(CONVERSATION)!.have).toBe('5');
    expect(bench.shown).toEqual([1, 3]);
  });

  it('are not shown when they come too late, nor when they come again', async () => {
    await bench.online();
    bench.answer(served('new', 3, [message(1), message(2, { expiresAt: inMs(-1) }), message(3)]));
    bench.push(4, 3, { expiresAt: inMs(1_000) });
    bench.clock.advance(2_000);
    bench.push(4, 3, { expiresAt: inMs(1_000) });
    bench.push(5, 4, { expiresAt: inMs(1_000) });
    expect(bench.shown).toEqual([1, 3]);
    expect(bench.client.conversation(CONVERSATION)!.have).toBe('5');
    expect(bench.log.filter((line) => !line.startsWith('unread'))).toEqual([
      'message 1',
      'message 3',
      'message 4',
      'expired 4',
    ]);
  });

  it('go at the next connection when the machine slept meanwhile', async () => {
    await bench.online();
    bench.answer(served('new', 1, [message(1, { expiresAt: inMs(60_000) })]));
    bench.socket.end();
    // The timer's clock stood still while an hour went by.
    await bench.clock.pass(1_000);
    await bench.online(inMs(3_600_000));
    expect(bench.shown).toEqual([]);
    expect(bench.log.at(-1)).toBe('expired 1');
  });

  it('may live longer than a timer can wait', async () => {
    await bench.online();
    const delays: number[] = [];
    const after = bench.clock.after.bind(bench.clock);
    bench.clock.after = (ms, run) => {
      delays.push(ms);
      return after(ms, run);
    };
    bench.answer(served('new', 1, [message(1, { expiresAt: inMs(365 * DAY_MS) })]));
    await bench.clock.pass(364 * DAY_MS, DAY_MS);
    expect(bench.shown).toEqual([1]);
    await bench.clock.pass(DAY_MS, DAY_MS);
    expect(bench.shown).toEqual([]);
    expect(Math.max(...delays)).toBeLessThanOrEqual(LONGEST_TIMER_MS);
  });

  it('wait on one timer', async () => {
    await bench.online();
    const before = bench.clock.pending;
    const mortals = Array.from({ length: 100 }, (_, n) =>
      message(n + 1, { expiresAt: inMs(100_000 - n) }),
    );
    bench.answer(served('new', 100, mortals));
    expect(bench.clock.pending).toBeLessThanOrEqual(before + 2);
    bench.clock.advance(100_000);
    expect(bench.shown).toEqual([]);
  });

  it('count no more among the unread ones that only the server has seen', async () => {
    await bench.online();
    const few = [message(90, { expiresAt: inMs(1_000) }), message(91)];
    bench.answer({ ...served('new', 91, few, true), unread: 12 });
    expect(bench.client.unread(CONVERSATION)).toBe(12);
    bench.clock.advance(1_000);
    expect(bench.client.unread(CONVERSATION)).toBe(11);
  });

  it('disappear from the own device by the end that comes with their push', async () => {
    await bench.online();
    bench.answer(served('new', 1, [message(1)]));
    const { messageId } = bench.client.send({ conversationId: CONVERSATION, text: 'own' });
    const sentAt = inMs(0);
    const place = { messageId, conversationId: CONVERSATION, position: '2', sentAt };
    bench.socket.receive({ type: 'sent', ...place });
    expect(bench.shown).toEqual([1, 2]);
    bench.push(2, 1, {
      messageId,
      senderId: ME,
      content: { kind: 'text', text: 'own' },
      expiresAt: inMs(1_000),
    });
    bench.clock.advance(1_000);
    expect(bench.shown).toEqual([1]);
  });

  describe('of this device, whose push has not come', () => {
    let place: Omit<SentFrame, 'type'>;
    beforeEach(async () => {
      await bench.online();
      bench.answer(served('new', 1, [message(1)]));
      bench.event(2, 1, { kind: 'ttl', messageTtlSeconds: 60 });
      const { messageId } = bench.client.send({ conversationId: CONVERSATION, text: 'own' });
      const sentAt = inMs(0);
      const expiresAt = inMs(60_000);
      place = { messageId, conversationId: CONVERSATION, position: '3', sentAt, expiresAt };
    });

    it('disappear by the end that `sent` names: no push comes of what is over', () => {
      bench.socket.receive({ type: 'sent', ...place });
      expect(bench.shown).toEqual([1, 2, 3]);
      bench.clock.advance(60_000);
      expect(bench.shown).toEqual([1, 2]);
    });

    it('are not shown when they are acknowledged after their end', () => {
      bench.socket.receive({ type: 'sent', ...place, sentAt: inMs(-60_000), expiresAt: inMs(0) });
      expect(bench.shown).toEqual([1, 2]);
    });

    it('stay when `sent` names none, whatever their chat has now', () => {
      bench.socket.receive({ type: 'sent', ...place, expiresAt: undefined });
      bench.clock.advance(60_000);
      expect(bench.shown).toEqual([1, 2, 3]);
    });
  });
});

describe('unsent messages of a temporary chat', () => {
  const write = (bench: Bench) => bench.client.send({ conversationId: CONVERSATION, text: CANARY });
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(async () => {
    await bench.client.stop();
    expect(bench.clock.pending).toBe(0);
  });

  it('are given up, visibly, when their lifetime is over', async () => {
    await bench.online();
    bench.answer(served('new', 1, [message(1)]));
    bench.event(2, 1, { kind: 'ttl', messageTtlSeconds: 60 });
    expect(bench.client.lifetime(CONVERSATION)).toBe(60);
    bench.socket.end();
    bench.clock.advance(1);
    const outgoing = write(bench);
    bench.clock.advance(59_999);
    expect(outgoing.state).toBe('waiting');
    expect(pathOf(bench.store, CANARY)).not.toBeNull();
    bench.clock.advance(1);
    expect(outgoing.state).toBe('failed');
    expect(bench.log.at(-1)).toBe('failed content_expired');
    expect(bench.client.unsent).toEqual([]);
    expect(pathOf(bench.store, CANARY)).toBeNull();
  });

  it('also those of an earlier run, whose chat is not known yet', async () => {
    const store = new MemoryOutboxStore();
    const at = bench.clock.now();
    store.add(outboxRecord(1, { writtenAt: at - 9_000, expiresAt: at - 1 }));
    store.add(outboxRecord(2, { writtenAt: at, expiresAt: at + 1_000 }));
    store.add(outboxRecord(3));
    bench = new Bench(store);
    await bench.client.start();
    bench.clock.advance(0);
    expect(bench.client.unsent.map((o) => o.messageId)).toEqual([id(2), id(3)]);
    bench.clock.advance(1_000);
    expect(store.load().map((r) => r.messageId)).toEqual([id(3)]);
    expect(bench.log).toEqual(['failed content_expired', 'failed content_expired']);
  });

  it('live as long as the newest word about their chat says', async () => {
    await bench.online();
    bench.answer(served('new', 1, [message(1)]));
    const outgoing = write(bench);
    bench.event(5, 1, { kind: 'ttl', messageTtlSeconds: 10 });
    bench.event(4, 3, { kind: 'ttl', messageTtlSeconds: 1 });
    bench.clock.advance(5_000);
    bench.event(6, 5, { kind: 'ttl', messageTtlSeconds: null });
    bench.clock.advance(60_000);
    expect(outgoing.state).not.toBe('failed');
    bench.event(7, 6, { kind: 'ttl', messageTtlSeconds: 20 });
    bench.clock.advance(0);
    expect(outgoing.state).toBe('failed');
  });

  it('live as the application remembers, until the server says more', async () => {
    await bench.client.start();
    bench.client.recall({ conversationId: CONVERSATION, userId: PEER, messageTtlSeconds: 30 });
    const outgoing = bench.client.send({ to: PEER, text: 'x' });
    expect(outgoing.record.expiresAt).toBe(outgoing.record.writtenAt + 30_000);
    await bench.online();
    bench.answer(served('new', 1, [message(1)]));
    bench.event(2, 1, { kind: 'ttl', messageTtlSeconds: 40 });
    bench.client.recall({ conversationId: CONVERSATION, messageTtlSeconds: 1 });
    expect(bench.client.lifetime(CONVERSATION)).toBe(40);
  });
});
