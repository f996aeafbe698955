import { FakeClock } from '../testing/fake-clock';
import { CONVERSATION, ME, message, PEER, served } from '../testing/factories';
import type { ClientEvents } from './client-events';
import { ConversationModel } from './conversation-model';
import { COALESCE_MS, FRAMES_PER_TURN, REFUSED_MS } from './mark-sender';
import { Receipts } from './receipts';

const OTHER = '00000000-0000-7000-8000-00000000000c';
const marks = (userId: string, delivered: number, read = 0) => ({
  userId,
  delivered: String(delivered),
  read: String(read),
});

/** Receipts over models that the test fills. */
class Bench {
  readonly clock = new FakeClock();
  readonly models = new Map<string, ConversationModel>();
  readonly sent: Record<string, string>[] = [];
  readonly news: ClientEvents['receipt'][] = [];
  readonly unread: number[] = [];
  readonly receipts = new Receipts({
    userId: ME,
    clock: this.clock,
    serverTime: this.clock,
    model: (id) => this.models.get(id),
    send: (frame) => this.sent.push(JSON.parse(frame) as Record<string, string>) > 0,
    emit: (name, event) => {
      if (name === 'receipt') this.news.push(event as ClientEvents['receipt']);
      else this.unread.push((event as ClientEvents['unread']).unread);
    },
  });

  /** Serves a conversation with messages at these positions. */
  serve(
    positions: number[],
    fields: Partial<ReturnType<typeof served>> = {},
    conversationId = CONVERSATION,
  ): void {
    const messages = positions.map((p) => message(p, { conversationId, n: p }));
    const upTo = positions.at(-1) ?? 0;
    const answer = { ...served('new', upTo, messages, false), conversationId, ...fields };
    let model = this.models.get(conversationId);
    if (!model) this.models.set(conversationId, (model = new ConversationModel(conversationId)));
    model.serve(answer, null);
    this.receipts.served(answer);
  }

  push(position: number, previous: number, senderId = PEER): void {
    const model = this.models.get(CONVERSATION)!;
    const entry = message(position, { senderId });
    model.push({ message: entry, at: String(position), previous: String(previous) });
    this.receipts.touched(CONVERSATION);
  }

  open(): void {
    this.receipts.connected(['receipts']);
    this.receipts.synced();
  }

  turn(): Record<string, string>[] {
    this.clock.advance(COALESCE_MS);
    return this.sent.splice(0);
  }
}

describe('receipts', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => {
    bench.receipts.disconnected();
    expect(bench.clock.pending).toBe(0);
  });

  it('raises again what a sync of the conversation does not show: it met the end of a membership', () => {
    bench.serve([1, 2]);
    bench.open();
    bench.turn();
    bench.receipts.markRead(CONVERSATION, '2');
    expect(bench.turn()).toEqual([{ type: 'read', conversationId: CONVERSATION, position: '2' }]);
    bench.serve([3], { receipts: [marks(ME, 3)] });
    expect(bench.turn()).toEqual([{ type: 'read', conversationId: CONVERSATION, position: '2' }]);
    bench.serve([], { receipts: [marks(ME, 3, 2)] });
    expect(bench.turn()).toEqual([]);
  });

  const received = (position: number) => ({
    type: 'received',
    conversationId: CONVERSATION,
    position: String(position),
  });
  const read = (position: number) => ({
    type: 'read',
    conversationId: CONVERSATION,
    position: String(position),
  });

  it('raises received up to what is held without a gap, once for many messages', () => {
    bench.serve([1, 2]);
    bench.open();
    expect(bench.turn()).toEqual([received(2)]);
    for (let p = 3; p <= 9; p++) bench.push(p, p - 1);
    bench.push(12, 11);
    expect(bench.turn()).toEqual([received(9)]);
    expect(bench.turn()).toEqual([]);
  });

  it('says nothing about own messages, nor before the first sync, nor to an older server', () => {
    bench.serve([1]);
    expect(bench.turn()).toEqual([]);
    bench.receipts.connected([]);
    bench.receipts.synced();
    expect(bench.turn()).toEqual([]);
    bench.open();
    expect(bench.turn()).toEqual([received(1)]);
    bench.push(2, 1, ME);
    expect(bench.turn()).toEqual([]);
  });

  it('raises again after a sync what lies above the server’s marks, and only that', () => {
    bench.serve([1, 2, 3], { receipts: [marks(ME, 1), marks(PEER, 3)] });
    bench.open();
    bench.receipts.markRead(CONVERSATION, '2');
    expect(bench.turn()).toEqual([read(2), received(3)]);
    bench.receipts.disconnected();
    bench.serve([1, 2, 3], { receipts: [marks(ME, 2, 2), marks(PEER, 3)] });
    bench.open();
    expect(bench.turn()).toEqual([received(3)]);
    bench.receipts.disconnected();
    bench.serve([1, 2, 3], { receipts: [marks(ME, 3, 2), marks(PEER, 3)] });
    bench.open();
    expect(bench.turn()).toEqual([]);
  });

  it('marks read without a connection and raises it when there is one', () => {
    bench.serve([1, 2, 3]);
    bench.receipts.markRead(CONVERSATION);
    expect(bench.receipts.unread(CONVERSATION)).toBe(0);
    bench.open();
    expect(bench.turn()).toEqual([read(3)]);
    bench.receipts.markRead(CONVERSATION, '2');
    expect(bench.turn()).toEqual([]);
  });

  it('paces what it raises for many conversations', () => {
    const ids = Array.from({ length: 30 }, (_, i) => `conversation-${i + 10}`);
    for (const id of ids) bench.serve([1], {}, id);
    bench.open();
    const turns = [bench.turn(), bench.turn(), bench.turn(), bench.turn(), bench.turn()];
    for (const turn of turns) expect(turn.length).toBeLessThanOrEqual(FRAMES_PER_TURN);
    expect(turns.flat().map((f) => f['conversationId'])).toEqual(ids);
  });

  it('raises again later what the server could not take', () => {
    bench.serve([1]);
    bench.open();
    bench.turn();
    const error = { type: 'error', code: 'unavailable', detail: '', retryable: true } as const;
    expect(bench.receipts.error({ ...error, conversationId: CONVERSATION })).toBe(true);
    expect(bench.receipts.error({ ...error, messageId: 'x' })).toBe(false);
    bench.clock.advance(REFUSED_MS);
    expect(bench.turn()).toEqual([received(1)]);
  });

  it('counts unread from what is held, over pushes, own messages and read marks', () => {
    bench.serve([1, 2, 3]);
    expect(bench.receipts.unread(CONVERSATION)).toBe(3);
    bench.push(4, 3);
    bench.push(5, 4, ME);
    expect(bench.receipts.unread(CONVERSATION)).toBe(4);
    bench.receipts.markRead(CONVERSATION, '3');
    expect(bench.receipts.unread(CONVERSATION)).toBe(1);
    const frame = { type: 'receipt', conversationId: CONVERSATION, ...marks(ME, 5, 5) } as const;
    bench.receipts.take({ ...frame, unread: 0, upTo: '5' });
    expect(bench.receipts.unread(CONVERSATION)).toBe(0);
    expect(bench.unread).toEqual([3, 4, 1, 0]);
  });

  it('takes the server’s count where older messages were left out, and goes on from it', () => {
    bench.serve([101, 102], { more: true, unread: 40, receipts: [marks(ME, 10, 10)] });
    expect(bench.receipts.unread(CONVERSATION)).toBe(40);
    bench.push(103, 102);
    expect(bench.receipts.unread(CONVERSATION)).toBe(41);
    // another device has read some of what is not held here
    const frame = { type: 'receipt', conversationId: CONVERSATION, ...marks(ME, 103, 50) } as const;
    bench.receipts.take({ ...frame, unread: 20, upTo: '102' });
    expect(bench.receipts.unread(CONVERSATION)).toBe(21);
    // an answer that is older than that says nothing
    bench.serve([101, 102], { more: true, unread: 40, receipts: [marks(ME, 10, 10)] });
    expect(bench.receipts.unread(CONVERSATION)).toBe(21);
    bench.receipts.markRead(CONVERSATION);
    expect(bench.receipts.unread(CONVERSATION)).toBe(0);
  });

  it('keeps everybody’s marks, never lower, and says by how many a message was read', () => {
    bench.serve([1, 2, 3], { receipts: [marks(ME, 0), marks(PEER, 2, 1), marks(OTHER, 1)] });
    const frame = { type: 'receipt', conversationId: CONVERSATION } as const;
    bench.receipts.take({ ...frame, ...marks(PEER, 3, 3) });
    bench.receipts.take({ ...frame, ...marks(PEER, 2, 2) });
    bench.receipts.take({ ...frame, ...marks(OTHER, 2) });
    const theirs = bench.news.filter((n) => n.userId === PEER).map((n) => n.read);
    expect(theirs).toEqual(['1', '3']);
    expect(bench.receipts.readBy(CONVERSATION, '2')).toEqual({ delivered: 2, read: 1, of: 2 });
    expect(bench.receipts.readBy(CONVERSATION, '3')).toEqual({ delivered: 1, read: 1, of: 2 });
    expect(bench.receipts.of(CONVERSATION).at(-1)!.userId).toBe(ME);
  });

  it('forgets who is no member any more', () => {
    bench.serve([1], { receipts: [marks(ME, 1), marks(PEER, 1), marks(OTHER, 1)] });
    bench.serve([1, 2], { receipts: [marks(ME, 1), marks(PEER, 1)] });
    expect(bench.receipts.of(CONVERSATION).map((r) => r.userId)).toEqual([PEER, ME]);
  });
});
