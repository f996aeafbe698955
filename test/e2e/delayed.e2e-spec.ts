import { Client } from 'pg';
import type { Message } from '@tidings/protocol/content';
import type { Conversation } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Holding } from '../support/holding';
import { metricOf } from '../support/service-report';
import { change, makeGroup, removeFrom, say as sayIn } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';

interface Synced {
  conversations: { conversationId: string; messages: Message[] }[];
  complete: boolean;
  delayed?: boolean;
  since?: string;
}

describe('while storage lags behind the log', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let conversation: Conversation;
  let lock: Client;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    conversation = await ann.direct(bob);
    lock = new Client({ connectionString: stack.databaseUrl });
    await lock.connect();
  }, 240_000);
  afterAll(async () => {
    await lock?.end();
    await stop?.();
  });

  /** Reads go on, writes of the log wait: exactly a lag. */
  const stall = async (): Promise<void> => {
    await lock.query('BEGIN');
    await lock.query('SELECT next FROM log_progress FOR UPDATE');
  };
  const goOn = () => lock.query('ROLLBACK');

  async function say(socket: TestSocket, text: string): Promise<string> {
    const frame = textSend({ conversationId: conversation.id }, text);
    socket.send(frame);
    await socket.find((f) => f.type === 'sent' && f['messageId'] === frame.messageId, 20_000);
    return frame.messageId;
  }

  const idsIn = (answer: Synced) =>
    answer.conversations.flatMap(({ messages }) => messages.map((m) => m.messageId));

  it('chat goes on, answers say `delayed` instead of hiding a hole, and resync follows', async () => {
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const before = await say(a, 'stored');
    await eventually(async () => {
      expect((await bob.history(conversation.id)).map((m) => m.messageId)).toContain(before);
    });
    const late = await bob.onNewDevice(0);
    let socket: TestSocket;
    let missing: string;
    await stall();
    try {
      missing = await say(a, 'in the log, not in the archive');
      await b.find((f) => f.type === 'message' && f['messageId'] === missing, 20_000);

      socket = await late.connect('gateway-1');
      socket.send({ type: 'sync', ref: 'first' });
      const synced = (await socket.next('synced', 20_000)) as unknown as Synced;
      expect([synced.complete, synced.delayed]).toEqual([false, true]);
      expect(idsIn(synced)).toContain(before);
      expect(idsIn(synced)).not.toContain(missing);

      const sync = await late.http<Synced>('POST', '/v1/sync', {});
      expect([sync.status, sync.body.complete, sync.body.delayed]).toEqual([200, false, true]);
      expect(Number(sync.headers.get('retry-after'))).toBeGreaterThan(0);

      const path = `/v1/conversations/${conversation.id}/messages`;
      const page = await late.http<{ items: Message[]; delayed?: boolean }>('GET', path);
      expect([page.status, page.body.delayed]).toEqual([200, true]);
      expect(page.body.items.map((m) => m.messageId)).not.toContain(missing);
      expect(await metricOf(stack.node('storage-1').url, 'storage_batch_retries_total')).not.toBe(
        0,
      );
      expect(socket.of('resync')).toEqual([]);
    } finally {
      await goOn();
    }
    expect(await socket.next('resync', 40_000)).toMatchObject({ reason: 'delayed' });
    const view = new Holding();
    socket.onFrame = (frame) => view.take(frame);
    await view.sync(socket, 20_000);
    expect(view.ordered(conversation.id).map((m) => m.messageId)).toEqual(
      (await bob.history(conversation.id)).map((m) => m.messageId),
    );
    expect(view.ordered(conversation.id).at(-1)!.messageId).toBe(missing);
    await Promise.all([a.end(), b.end(), socket.end()]);
  });

  it('what may be a repetition waits for its answer and is one message', async () => {
    const a = await ann.connect('gateway-1');
    const frame = { ...textSend({ conversationId: conversation.id }, 'again'), retry: true };
    await stall();
    try {
      a.send(frame);
      a.send({ type: 'ping', ref: 'behind it' });
      await a.find((f) => f.type === 'pong' && f['ref'] === 'behind it', 20_000);
      expect(a.of('sent')).toEqual([]);
    } finally {
      await goOn();
    }
    const sentAgain = () => a.of('sent').filter((f) => f['messageId'] === frame.messageId);
    await eventually(
      () => {
        if (sentAgain().length === 0) a.send(frame);
        expect(sentAgain()).not.toEqual([]);
      },
      40_000,
      1_000,
    );
    const stored = (await bob.history(conversation.id)).filter(
      (m) => m.messageId === frame.messageId,
    );
    expect(stored).toHaveLength(1);
    for (const { position } of sentAgain()) expect(position).toBe(stored[0]!.position);
    await a.end();
  });

  it('an author who is removed meanwhile is told what became of their edit, and no more of it', async () => {
    const group = await makeGroup(ann, [bob]);
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const mine = await sayIn(b, group, 'as it was');
    const place = { conversationId: group, messageId: mine['messageId'] as string };
    await eventually(async () => {
      expect((await ann.history(group)).map((m) => m.messageId)).toContain(place.messageId);
    });
    const content = { kind: 'text', text: 'better' };
    let answer: Promise<Frame>;
    await stall();
    try {
      answer = change(b, place, content);
      // it is in the log: everybody sees it, but storage does not know it yet
      const shown = await a.find((f) => f.type === 'changed' && f['conversationId'] === group);
      expect(shown['content']).toEqual(content);
      const removed = await removeFrom(ann, group, bob);
      expect(removed.status).toBe(204);
      await b.find((f) => f.type === 'conversation' && f['conversationId'] === group);
    } finally {
      await goOn();
    }
    const told = await answer;
    expect(told).toMatchObject({ type: 'changed', ...place, content });
    const history = await eventually(async () => {
      const found = await ann.history(group);
      const event = { kind: 'removed', userIds: [bob.id] };
      expect(found.at(-1)!.content).toMatchObject({ kind: 'event', event });
      return found;
    });
    const kept = history.find((m) => m.messageId === place.messageId)!;
    expect([kept.content, kept.version]).toEqual([content, told['version']]);
    // whoever got no answer asks again: storage knows it, and that they are no member
    const again = await change(b, place, content, told['changeId'] as string);
    expect(again).toMatchObject({ type: 'changed', ...place, content, hidden: true });
    expect(again['version']).toBe(told['version']);
    expect(await change(b, place, content)).toMatchObject({ code: 'no_such_conversation' });
    await Promise.all([a.end(), b.end()]);
  });
});
