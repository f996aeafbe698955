import { randomUUID } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import type { Message } from '@tidings/protocol/content';
import type { Conversation, Page } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Holding } from '../support/holding';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';

const AN_HOUR_MS = 3600_000;
const BETWEEN = 100_000;

describe('a message id is taken once', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let ann2: ChatUser;
  let bob: ChatUser;
  let conversation: Conversation;
  let first: TestSocket;
  let second: TestSocket;
  let reader: TestSocket;
  const holding = new Holding();

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      nodeEnv: { 'gateway-2': { TEST_CLOCK_OFFSET_MS: String(AN_HOUR_MS) } },
    }));
    ann = await ChatUser.create(stack.gatewayUrls);
    bob = await ChatUser.create(stack.gatewayUrls);
    ann2 = await ann.onNewDevice(1);
    conversation = await ann.direct(bob);
    first = await ann.connect('gateway-1');
    second = await ann2.connect('gateway-2');
    reader = await bob.connect('gateway-1');
    reader.onFrame = (frame) => holding.take(frame);
    await holding.sync(reader);
  }, 600_000);
  afterAll(() => stop?.());

  const answerTo = (socket: TestSocket, from: number, id: string): Promise<Frame> =>
    socket.find(
      (f) =>
        socket.frames.indexOf(f) >= from &&
        (f.type === 'sent' || f.type === 'error') &&
        f['messageId'] === id,
      20_000,
    );

  async function answered(socket: TestSocket, frame: { messageId: string }): Promise<Frame> {
    const from = socket.frames.length;
    socket.send(frame);
    return answerTo(socket, from, frame.messageId);
  }

  async function fill(count: number): Promise<void> {
    const window = 90;
    let sent = 0;
    const before = first.of('sent').length;
    while (sent < count) {
      for (let i = 0; i < window && sent < count; i++, sent++) {
        first.send(textSend({ conversationId: conversation.id }, `filler ${sent}`));
      }
      await eventually(
        () => expect(first.of('sent').length - before).toBeGreaterThanOrEqual(sent),
        20_000,
        2,
      );
    }
  }

  const ids = { 'version 7': uuidv7(), 'version 4': randomUUID() };
  const positions = new Map<string, string>();
  /** What the sender's two devices hold, from the first sends on. */
  const sendersOwn = [new Holding(), new Holding()] as const;

  it.each(Object.entries(ids))('ten times at once on two gateways: %s', async (_name, id) => {
    const frame = textSend({ conversationId: conversation.id }, `the one ${id}`, id);
    for (let i = 0; i < 5; i++) {
      first.send(frame);
      second.send(frame);
    }
    // every one of them is answered; what is answered later is asked later
    await eventually(() => {
      for (const socket of [first, second]) {
        expect(socket.of('sent').filter((f) => f['messageId'] === id)).toHaveLength(5);
      }
    }, 20_000);
    const entry = await eventually(async () => {
      const found = (await bob.history(conversation.id)).filter((m) => m.messageId === id);
      expect(found).toHaveLength(1);
      return found[0]!;
    });
    positions.set(id, entry.position);
    await eventually(() =>
      expect(holding.held(conversation.id).byId.get(id)?.position).toBe(entry.position),
    );
    for (const socket of [first, second]) {
      const again = await answered(socket, { ...frame, retry: true } as typeof frame);
      expect(again).toMatchObject({ type: 'sent', position: entry.position });
    }
  });

  /** Syncs a device, and lets it take what comes later; the messages that the answer shows. */
  async function synced(socket: TestSocket, own: Holding): Promise<Message[]> {
    const from = socket.frames.length;
    socket.onFrame = (frame) => own.take(frame);
    await own.sync(socket, 20_000);
    return socket.frames
      .slice(from)
      .filter((f) => f.type === 'synced')
      .flatMap((f) => f['conversations'] as { messages: Message[] }[])
      .flatMap(({ messages }) => messages);
  }

  it('is one message on both devices of its sender and on a fresh one', async () => {
    const fresh = await (await ann.onNewDevice(1)).connect('gateway-2');
    const answers = [
      await synced(first, sendersOwn[0]),
      await synced(second, sendersOwn[1]),
      await synced(fresh, new Holding()),
    ];
    for (const messages of answers) {
      for (const id of Object.values(ids)) {
        const shown = messages.filter(({ messageId }) => messageId === id);
        expect(shown.map(({ position }) => position)).toEqual([positions.get(id)]);
      }
    }
    await fresh.end();
  });

  it('answers with the first position 100 000 messages later, caches cold', async () => {
    await fill(BETWEEN);
    await stack.redis.restartEmpty();
    await stack.node('session-1').restart();
    await eventually(async () => {
      const socket = await ann2.connect('gateway-2');
      second = socket;
    }, 30_000);
    for (const id of Object.values(ids)) {
      const frame = textSend({ conversationId: conversation.id }, `the one ${id}`, id);
      for (const retry of [true, undefined]) {
        const again = await answered(second, { ...frame, ...(retry && { retry }) } as typeof frame);
        expect(again).toMatchObject({ type: 'sent', position: positions.get(id) });
      }
    }
  }, 600_000);

  it('shows the same position in the history, by HTTP and on every device', async () => {
    for (const id of Object.values(ids)) {
      const put = await ann2.http<{ position: string }>(
        'PUT',
        `/v1/conversations/${conversation.id}/messages/${id}`,
        { content: { kind: 'text', text: `the one ${id}` } },
      );
      expect([put.status, put.body.position]).toEqual([200, positions.get(id)]);
      expect(holding.held(conversation.id).byId.get(id)?.position).toBe(positions.get(id));
    }
    const history = await bob.history(conversation.id);
    expect(history.length).toBe(BETWEEN + 1 + Object.keys(ids).length);
    expect(new Set(history.map((m) => m.messageId)).size).toBe(history.length);
    for (const id of Object.values(ids)) {
      const entries = history.filter((m) => m.messageId === id);
      expect(entries.map((m) => m.position)).toEqual([positions.get(id)]);
    }
  });

  it('stays that one message on the devices of its sender, and is it on a fresh one', async () => {
    const other = await ann.onNewDevice(0);
    const fresh = await other.connect('gateway-1');
    const freshOwn = new Holding();
    const answers = [
      await synced(first, sendersOwn[0]),
      await synced(second, sendersOwn[1]),
      await synced(fresh, freshOwn),
    ].flat();
    expect(answers).not.toEqual([]);
    for (const id of Object.values(ids)) {
      const position = positions.get(id)!;
      expect(answers.filter(({ messageId }) => messageId === id)).toEqual([]);
      for (const own of sendersOwn) {
        expect(own.held(conversation.id).byId.get(id)?.position).toBe(position);
      }
      // a new device has the newest by sync, and pages what is older
      const query = `after=${BigInt(position) - 1n}&limit=1`;
      const page = await other.http<Page<Message>>(
        'GET',
        `/v1/conversations/${conversation.id}/messages?${query}`,
      );
      expect(page.body.items).toMatchObject([{ messageId: id, position }]);
    }
    const newest = (own: Holding): object[] => own.ordered(conversation.id).slice(-10);
    expect(newest(freshOwn)).toHaveLength(10);
    for (const own of sendersOwn) expect(newest(own)).toEqual(newest(freshOwn));
    await fresh.end();
  });

  it.each(Object.entries(ids))('refuses other text and another member: %s', async (_name, id) => {
    const other = await answered(
      second,
      textSend({ conversationId: conversation.id }, 'something else', id),
    );
    expect(other).toMatchObject({ type: 'error', code: 'message_id_conflict', retryable: false });
    const b = await bob.connect('gateway-2');
    const stolen = await answered(
      b,
      textSend({ conversationId: conversation.id }, `the one ${id}`, id),
    );
    expect(stolen).toMatchObject({ type: 'error', code: 'message_id_conflict' });
    const put = await bob.http('PUT', `/v1/conversations/${conversation.id}/messages/${id}`, {
      content: { kind: 'text', text: `the one ${id}` },
    });
    expect([put.status, put.body.code]).toEqual([409, 'message_id_conflict']);
    await b.end();
  });
});
