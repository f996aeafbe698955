import type { Conversation } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import type { Trace } from '@tidings/protocol/trace';
import { nodeClient } from '@tidings/sdk/node';
import { uuidv7 } from 'uuidv7';
import type { Stack } from '../../tools/stack/stack';
import { type Answer, ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';
import type { TestSocket } from '../support/test-socket';

type Traced = Trace & { code?: string };

/** What clocks of one machine's processes may disagree by, in milliseconds. */
const CLOCK_MS = 50;

describe('trace', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let id: string;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
  }, 240_000);
  afterAll(() => stop?.());

  beforeEach(async () => {
    ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    id = (await ann.direct(bob)).id;
  });

  const ask = (user: ChatUser, messageId: string, query = '', of = id): Promise<Answer<Traced>> =>
    user.http<Traced>('GET', `/v1/conversations/${of}/messages/${messageId}/trace${query}`);
  const say = async (socket: TestSocket, text: string, conversationId = id) => {
    const frame = textSend({ conversationId }, text);
    socket.send(frame);
    const sent = await socket.find((f) => f.type === 'sent' && f['messageId'] === frame.messageId);
    const { position, sentAt } = sent as unknown as { position: string; sentAt: string };
    return { messageId: frame.messageId, position, sentAt };
  };
  /** The trace once it says what it is waited for. */
  const traced = (user: ChatUser, messageId: string, check: (trace: Trace) => void) =>
    eventually(async () => {
      const answer = await ask(user, messageId);
      expect(answer.status).toBe(200);
      check(answer.body);
      return answer.body;
    }, 20_000);
  const refused = async (answer: Promise<Answer<Traced>>) => {
    const { status, body } = await answer;
    return [status, body.code];
  };

  it('tells the way of a message, step by step, in the order in which it went', async () => {
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const { messageId, position, sentAt } = await say(a, 'where am I?');
    await b.find((f) => f.type === 'message' && f['messageId'] === messageId);
    const early = await traced(ann, messageId, (t) => {
      expect([t.logged, t.routed, t.stored].map((time) => typeof time)).toEqual(
        Array(3).fill('string'),
      );
    });
    expect(early).toEqual({
      conversationId: id,
      messageId,
      position,
      accepted: sentAt,
      logged: early.logged,
      routed: early.routed,
      stored: early.stored,
      expired: null,
      setAside: null,
      recipients: 1,
      delivered: [],
      read: [],
    });
    b.send({ type: 'received', conversationId: id, position });
    const arrived = await traced(ann, messageId, (t) => expect(t.delivered).toHaveLength(1));
    expect(arrived.delivered[0]!.userId).toBe(bob.id);
    expect(arrived.read).toEqual([]);
    b.send({ type: 'read', conversationId: id, position });
    const late = await traced(ann, messageId, (t) => expect(t.read).toHaveLength(1));
    expect(late).toEqual({ ...early, delivered: arrived.delivered, read: late.read });
    expect(late.read[0]!.userId).toBe(bob.id);
    const way = [late.accepted, late.logged, late.routed, late.delivered[0]!.at, late.read[0]!.at];
    const times = way.map((time) => Date.parse(time!));
    for (let i = 1; i < times.length; i++) {
      expect(times[i]).toBeGreaterThanOrEqual(times[i - 1]! - CLOCK_MS);
    }
    expect(Date.parse(late.stored!)).toBeGreaterThanOrEqual(times[1]! - CLOCK_MS);
    for (const socket of [a, b]) await socket.end();
  });

  it('is the same on every device of the sender, and knows marks of every device of a receiver', async () => {
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const [ann2, bob2] = [await ann.onNewDevice(), await bob.onNewDevice()];
    const [desk, tablet] = [await ann2.connect('gateway-2'), await bob2.connect('gateway-1')];
    const { messageId, position } = await say(a, 'seen by whom?');
    for (const socket of [b, desk, tablet]) {
      await socket.find((f) => f.type === 'message' && f['messageId'] === messageId);
    }
    b.send({ type: 'received', conversationId: id, position });
    await traced(ann2, messageId, (t) => expect(t.delivered).toHaveLength(1));
    tablet.send({ type: 'read', conversationId: id, position });
    const whole = await traced(ann2, messageId, (t) => {
      expect([t.logged, t.routed, t.stored]).not.toContain(null);
      expect(t.read).toEqual([{ userId: bob.id, at: expect.any(String) }]);
    });
    expect((await ask(ann, messageId)).body).toEqual(whole);
    for (const user of [bob, bob2]) {
      expect(await refused(ask(user, messageId))).toEqual([404, 'not_found']);
    }
    for (const socket of [a, b, desk, tablet]) await socket.end();
  });

  it('is the sender’s alone: for everybody else the message does not exist', async () => {
    const eve = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    const a = await ann.connect();
    const { messageId } = await say(a, 'mine');
    await traced(ann, messageId, (t) => expect(t.stored).not.toBeNull());
    for (const message of [messageId, uuidv7()]) {
      expect(await refused(ask(bob, message))).toEqual([404, 'not_found']);
      expect(await refused(ask(eve, message))).toEqual([404, 'no_such_conversation']);
      const nowhere = 'A'.repeat(43);
      expect(await refused(ask(eve, message, '', nowhere))).toEqual([404, 'no_such_conversation']);
    }
    const [foreign, unknown] = await Promise.all([ask(bob, messageId), ask(bob, uuidv7())]);
    const shape = ({ body }: Answer<Traced>) => ({ ...body, requestId: '' });
    expect(shape(foreign)).toEqual(shape(unknown));
    expect(await refused(ask(ann, uuidv7()))).toEqual([404, 'not_found']);
    expect(await refused(ask(ann, messageId, '?cursor=zz'))).toEqual([400, 'invalid_request']);
    expect(await refused(ask(ann, messageId, `?limit=${LIMITS.pageItems + 1}`))).toEqual([
      400,
      'invalid_request',
    ]);
    expect((await ask(ann, messageId, `?limit=${LIMITS.pageItems}`)).status).toBe(200);
    await a.end();
  });

  it('hides what was read where either side hides it', async () => {
    const a = await ann.connect();
    const b = await bob.connect();
    const { messageId, position } = await say(a, 'secretly read');
    b.send({ type: 'read', conversationId: id, position });
    await traced(ann, messageId, (t) => expect(t.read).toHaveLength(1));
    for (const user of [bob, ann]) {
      await user.http('PATCH', '/v1/me', { privacy: { readReceipts: false } });
      await traced(ann, messageId, (t) => expect(t.read).toEqual([]));
      await user.http('PATCH', '/v1/me', { privacy: { readReceipts: true } });
    }
    await traced(ann, messageId, (t) => expect(t.read).toHaveLength(1));
    for (const socket of [a, b]) await socket.end();
  });

  it('goes over the members who see the message, and ends with one’s own membership', async () => {
    const others = await Promise.all(
      [0, 1, 0].map((at) => ChatUser.create(stack.gatewayUrls, { at })),
    );
    const body = { kind: 'group', requestId: uuidv7(), title: 'Four' };
    const userIds = others.map((u) => u.id);
    const made = await ann.http<Conversation>('POST', '/v1/conversations', { ...body, userIds });
    const group = made.body.id;
    const [carol, dave] = others as [ChatUser, ChatUser, ChatUser];
    const c = await carol.connect();
    const { messageId, position } = await say(c, 'who has it?', group);
    const members = `/v1/conversations/${group}/members`;
    expect((await ann.http('POST', members, { userIds: [bob.id] })).status).toBe(200);
    for (const user of [ann, bob, ...others]) {
      await user.http('PUT', `/v1/conversations/${group}/receipts`, { delivered: position });
    }
    const receivers = [ann, ...others.slice(1)].map((u) => u.id).sort();
    const parts = async (): Promise<string[]> => {
      const first = await ask(carol, messageId, '?limit=2', group);
      expect([first.body.recipients, first.body.delivered.length]).toEqual([3, 2]);
      const query = `?limit=2&cursor=${first.body.cursor}`;
      const second = await ask(carol, messageId, query, group);
      expect(second.body.cursor).toBeUndefined();
      return [...first.body.delivered, ...second.body.delivered].map((m) => m.userId);
    };
    await eventually(async () => expect(await parts()).toEqual(receivers), 20_000);
    expect((await ann.http('DELETE', `${members}/${dave.id}`)).status).toBe(204);
    const less = await ask(carol, messageId, '', group);
    expect([less.body.recipients, less.body.delivered.length]).toEqual([2, 2]);
    expect((await ann.http('DELETE', `${members}/${carol.id}`)).status).toBe(204);
    expect(await refused(ask(carol, messageId, '', group))).toEqual([404, 'no_such_conversation']);
    c.cut();
  });

  it('tells what it can when session and Redis have forgotten', async () => {
    const a = await ann.connect('gateway-1');
    const { messageId } = await say(a, 'old');
    const before = await traced(ann, messageId, (t) => expect(t.routed).not.toBeNull());
    await stack.redis.restartEmpty();
    const after = await eventually(async () => {
      const answer = await ask(ann, messageId);
      expect(answer.status).toBe(200);
      return answer.body;
    }, 30_000);
    expect(after).toEqual({ ...before, routed: null });
    a.cut();
  });

  it('comes to the SDK whole, also right after the send', async () => {
    const client = nodeClient({ servers: stack.gatewayUrls });
    await client.login({ username: ann.username, password: ChatUser.PASSWORD });
    await client.start();
    try {
      const outgoing = client.send({ conversationId: id, text: 'hello' });
      await outgoing.settled();
      const trace = await client.trace(id, outgoing.messageId);
      expect(trace).toMatchObject({ messageId: outgoing.messageId, recipients: 1 });
      expect(trace.logged).not.toBeNull();
      await expect(client.trace(id, uuidv7())).rejects.toMatchObject({ code: 'not_found' });
    } finally {
      await client.stop();
    }
  });
});
