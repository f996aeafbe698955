import { FakeClock, settle } from '../testing/fake-clock';
import { CONVERSATION, id, outboxRecord as record, PEER } from '../testing/factories';
import { Outbox, OUTBOX_LIMIT, type OutboxDeps, type StateDetail } from './outbox';
import type { OutboxEntry } from './outbox-lane';
import { MemoryOutboxStore, type OutboxStore } from './outbox-store';

type SentFrame = { messageId: string; retry?: boolean; to?: string; conversationId?: string };

const UNLIMITED = { unansweredSends: 100, sendsPerSecond: 0, sendBurst: 0 };
const place = (n: number, conversationId = CONVERSATION) => ({
  conversationId,
  position: String(n),
  sentAt: '2026-01-01T00:00:00.000Z',
});

class Bench {
  readonly clock = new FakeClock();
  readonly wire: SentFrame[] = [];
  readonly states: string[] = [];
  readonly voided: string[] = [];
  readonly outbox: Outbox;

  constructor(store: OutboxStore = new MemoryOutboxStore(), more: Partial<OutboxDeps> = {}) {
    this.outbox = new Outbox({
      store,
      clock: this.clock,
      random: () => 0.5,
      send: (frame) => {
        this.wire.push(JSON.parse(frame) as SentFrame);
        return true;
      },
      onState: (entry: OutboxEntry, detail: StateDetail) => {
        const why = detail.place?.position ?? detail.error?.code;
        const n = Number(entry.record.messageId.slice(-6));
        this.states.push(`${n} ${entry.state}${why === undefined ? '' : ` ${why}`}`);
      },
      onVoid: (messageId) => this.voided.push(messageId),
      onStoreError: (error) => {
        throw error;
      },
      ...more,
    });
  }

  /** What went out since the last call: message numbers, `+` when marked as a retry. */
  out(): string[] {
    return this.wire
      .splice(0)
      .map((f) => Number(f.messageId.slice(-6)) + (f.retry === true ? '+' : ''));
  }

  refuse(n: number, code = 'busy', retryable = true, retryAfterMs?: number): void {
    this.outbox.refused(id(n), {
      type: 'error',
      messageId: id(n),
      code,
      detail: code,
      retryable,
      retryAfterMs,
    });
  }
}

describe('outbox', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });

  it('sends in order, without waiting for answers, and forgets what is in the log', () => {
    bench.outbox.connected(UNLIMITED);
    for (const n of [1, 2, 3]) bench.outbox.add(record(n));
    expect(bench.out()).toEqual(['1', '2', '3']);
    bench.outbox.confirmed(id(1), place(10));
    bench.outbox.confirmed(id(1), place(10));
    expect(bench.states).toEqual(['1 sending', '2 sending', '3 sending', '1 sent 10']);
    expect(bench.outbox.size).toBe(2);
  });

  it('keeps what is written offline and sends it when connected, not marked as a retry', () => {
    bench.outbox.add(record(1));
    bench.outbox.add(record(2));
    expect(bench.out()).toEqual([]);
    bench.outbox.connected(UNLIMITED);
    expect(bench.out()).toEqual(['1', '2']);
  });

  it('sends everything unanswered again after a reconnect, oldest first, as retries', () => {
    bench.outbox.connected(UNLIMITED);
    for (const n of [1, 2, 3]) bench.outbox.add(record(n));
    bench.outbox.confirmed(id(2), place(10));
    bench.outbox.held(id(3));
    bench.out();
    bench.outbox.disconnected();
    bench.outbox.add(record(4));
    bench.outbox.connected(UNLIMITED);
    expect(bench.out()).toEqual(['1+', '3+', '4']);
  });

  it('after a retryable refusal pauses the conversation only, then begins with the oldest', () => {
    bench.outbox.connected(UNLIMITED);
    for (const n of [1, 2]) bench.outbox.add(record(n));
    bench.outbox.add(record(9, { conversationId: 'other' }));
    bench.out();
    bench.refuse(1);
    bench.refuse(2);
    bench.outbox.add(record(3));
    bench.outbox.add(record(10, { conversationId: 'other' }));
    expect(bench.out()).toEqual(['10']);
    bench.clock.advance(1_000);
    expect(bench.out()).toEqual(['1+', '2+', '3']);
  });

  it('waits at least as long as the refusal says', () => {
    bench.outbox.connected(UNLIMITED);
    bench.outbox.add(record(1));
    bench.out();
    bench.refuse(1, 'rate_limited', true, 4_000);
    bench.clock.advance(3_999);
    expect(bench.out()).toEqual([]);
    bench.clock.advance(1);
    expect(bench.out()).toEqual(['1+']);
  });

  it('pauses longer with every refusal in a row', () => {
    bench.outbox.connected(UNLIMITED);
    bench.outbox.add(record(1));
    const waits: number[] = [];
    for (let round = 0; round < 4; round++) {
      bench.out();
      bench.refuse(1);
      let waited = 0;
      for (; bench.wire.length === 0; waited++) bench.clock.advance(1);
      waits.push(waited);
    }
    expect(waits).toEqual([225, 350, 600, 1100]);
  });

  it('sends again after 10 s without an answer, then later and later up to 5 minutes', () => {
    bench.outbox.connected(UNLIMITED);
    bench.outbox.add(record(1));
    bench.outbox.add(record(2));
    bench.out();
    const seconds: number[] = [];
    for (let waited = 1; seconds.length < 7; waited++) {
      bench.clock.advance(1_000);
      const out = bench.out();
      if (out.length === 0) continue;
      expect(out).toEqual(['1+', '2+']);
      seconds.push(waited);
      waited = 0;
    }
    expect(seconds).toEqual([10, 20, 40, 80, 160, 300, 300]);
  });

  it('waits 60 s for what a gateway holds, then longer', () => {
    bench.outbox.connected(UNLIMITED);
    bench.outbox.add(record(1));
    bench.out();
    bench.outbox.held(id(1));
    bench.clock.advance(59_000);
    expect(bench.out()).toEqual([]);
    bench.clock.advance(1_000);
    expect(bench.out()).toEqual(['1+']);
    bench.outbox.held(id(1));
    bench.clock.advance(119_000);
    expect(bench.out()).toEqual([]);
    bench.clock.advance(1_000);
    expect(bench.out()).toEqual(['1+']);
    expect(bench.states).toContain('1 held');
  });

  it('gives up what is refused for good, visibly, and goes on with the rest', () => {
    bench.outbox.connected(UNLIMITED);
    for (const n of [1, 2]) bench.outbox.add(record(n));
    bench.refuse(1, 'blocked', false);
    bench.outbox.add(record(3));
    expect(bench.out()).toEqual(['1', '2', '3']);
    expect(bench.states).toContain('1 failed blocked');
    expect(bench.outbox.entries().map((e) => e.record.messageId)).toEqual([id(2), id(3)]);
  });

  it('has at most 100 unanswered sends on the wire', () => {
    bench.outbox.connected(UNLIMITED);
    for (let n = 1; n <= 150; n++) bench.outbox.add(record(n));
    expect(bench.out()).toHaveLength(100);
    bench.outbox.confirmed(id(1), place(1));
    bench.outbox.held(id(2));
    bench.refuse(3, 'text_too_long', false);
    expect(bench.out()).toEqual(['101', '102', '103']);
  });

  it('stays below the rate that the server allows', () => {
    bench.outbox.connected({ unansweredSends: 100, sendsPerSecond: 20, sendBurst: 5 });
    for (let n = 1; n <= 20; n++) bench.outbox.add(record(n));
    expect(bench.out()).toHaveLength(5);
    bench.clock.advance(500);
    expect(bench.out()).toHaveLength(10);
    bench.clock.advance(250);
    expect(bench.out()).toHaveLength(5);
  });

  it('tells when a message reported as sent is void', () => {
    bench.outbox.connected(UNLIMITED);
    bench.outbox.add(record(1));
    bench.outbox.confirmed(id(1), place(10));
    bench.refuse(1, 'message_id_conflict', false);
    bench.refuse(1, 'message_id_conflict', false);
    bench.refuse(77, 'message_id_conflict', false);
    expect(bench.voided).toEqual([id(1)]);
  });

  it('addresses a user until his conversation is known and nothing is under way by user', () => {
    bench.outbox.connected(UNLIMITED);
    const to = (n: number) => record(n, { conversationId: undefined, to: PEER });
    bench.outbox.add(to(1));
    bench.outbox.add(to(2));
    bench.outbox.confirmed(id(1), place(10));
    bench.outbox.add(to(3));
    bench.outbox.add(record(4));
    for (const n of [2, 3, 4]) bench.outbox.confirmed(id(n), place(n));
    bench.outbox.add(to(5));
    expect(bench.wire.map((f) => f.to ?? f.conversationId)).toEqual([
      PEER,
      PEER,
      PEER,
      PEER,
      CONVERSATION,
    ]);
  });

  it('refuses more than it may hold', () => {
    for (let n = 0; n < OUTBOX_LIMIT; n++) bench.outbox.add(record(n));
    expect(() => bench.outbox.add(record(OUTBOX_LIMIT))).toThrow('waiting to be sent');
  });

  it('stops its timers when the connection is lost', () => {
    bench.outbox.connected(UNLIMITED);
    bench.outbox.add(record(1));
    expect(bench.clock.pending).toBe(1);
    bench.outbox.disconnected();
    expect(bench.clock.pending).toBe(0);
  });

  it('sends what its store cannot keep, and tells', async () => {
    const errors: unknown[] = [];
    const store = new MemoryOutboxStore();
    store.add = () => Promise.reject(new Error('disk full')) as never;
    bench = new Bench(store, { onStoreError: (error) => errors.push(error) });
    bench.outbox.connected(UNLIMITED);
    bench.outbox.add(record(1));
    await new Promise((resolve) => setImmediate(resolve));
    expect(bench.out()).toEqual(['1']);
    expect(errors).toEqual([new Error('disk full')]);
  });

  it('puts nothing on the wire before it is safe in the store', async () => {
    let safe: () => void = () => undefined;
    const store = new MemoryOutboxStore();
    store.add = () => new Promise<void>((resolve) => (safe = resolve)) as never;
    bench = new Bench(store);
    bench.outbox.connected(UNLIMITED);
    bench.outbox.add(record(1));
    await settle();
    expect(bench.out()).toEqual([]);
    safe();
    await settle();
    expect(bench.out()).toEqual(['1']);
  });

  it('goes on after a kill: same ids, in order, as retries', async () => {
    const store = new MemoryOutboxStore();
    for (const n of [1, 2, 3]) store.add(record(n));
    store.remove(id(2));
    bench = new Bench(store);
    await bench.outbox.open();
    bench.outbox.connected(UNLIMITED);
    expect(bench.out()).toEqual(['1+', '3+']);
  });

  it('gives up what has expired, also on the wire, and goes on with the rest', () => {
    const store = new MemoryOutboxStore();
    bench = new Bench(store);
    bench.outbox.connected(UNLIMITED);
    for (const n of [1, 2, 3]) bench.outbox.add(record(n));
    bench.refuse(1);
    bench.outbox.expire(id(1));
    bench.outbox.expire(id(1));
    expect(bench.states).toContain('1 failed content_expired');
    bench.out();
    bench.clock.advance(3_000);
    expect(bench.out()).toEqual(['2+', '3+']);
    bench.outbox.expire(id(2));
    expect(store.load().map((r) => r.messageId)).toEqual([id(3)]);
    expect(bench.outbox.size).toBe(1);
  });
});
