import { randomUUID } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import type { Conversation } from '@tidings/common/contracts/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { openSocket, type TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';
import { CALLS, register } from './bad-input/calls';
import { FRAMES } from './bad-input/frames';
import { lookAtLog } from './bad-input/log-look';

const TICKET_SECONDS = 3;

describe('hostile input gets a typed error and loses nothing', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let mallory: ChatUser;
  let conversation: Conversation;
  let socket: TestSocket;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({ env: { TICKET_SECONDS: String(TICKET_SECONDS) } }));
    ann = await ChatUser.create(stack.gatewayUrls);
    bob = await ChatUser.create(stack.gatewayUrls);
    mallory = await ChatUser.create(stack.gatewayUrls);
    conversation = await ann.direct(bob);
    socket = await ann.connect('gateway-1');
  }, 240_000);
  afterAll(() => stop?.(), 60_000);

  /** The socket is alive and in order: a good send is answered. */
  async function stillWorks(): Promise<void> {
    const frame = textSend({ conversationId: conversation.id }, 'still here');
    socket.send(frame);
    await socket.find((f) => f.type === 'sent' && f['messageId'] === frame.messageId);
  }

  it.each(FRAMES)('frame: %s', async (_name, raw, code) => {
    const text = (typeof raw === 'string' ? raw : JSON.stringify(raw)).replaceAll(
      'CONVERSATION',
      conversation.id,
    );
    const errors = socket.of('error').length;
    const synced = socket.of('synced').length;
    socket.raw.send(text);
    if (code === 'SYNCED') {
      // an opaque cursor of somebody else's making counts as a new device
      await eventually(() => expect(socket.of('synced').length).toBeGreaterThan(synced));
    } else {
      await eventually(() => expect(socket.of('error').length).toBe(errors + 1));
      expect(socket.of('error').at(-1)).toMatchObject({ code, retryable: false });
    }
    await stillWorks();
  });

  it.each([
    ['exactly the limit, two-byte letters', 'é'.repeat(8192)],
    ['exactly the limit, emoji', '👍'.repeat(4096)],
    ['SQL', `'); DROP TABLE messages; --`],
    [
      'every control character but NUL',
      Array.from({ length: 31 }, (_, i) => String.fromCharCode(i + 1)).join(''),
    ],
    ['combining marks and bidi', 'a\u0301'.repeat(500) + '\u202e abc'],
  ])('text that is fine: %s', async (_name, text) => {
    const frame = textSend({ conversationId: conversation.id }, text);
    socket.send(frame);
    await socket.find((f) => f.type === 'sent' && f['messageId'] === frame.messageId);
    await eventually(async () => {
      const entry = (await bob.history(conversation.id)).find(
        (m) => m.messageId === frame.messageId,
      );
      expect(entry?.content).toEqual({ kind: 'text', text });
    });
  });

  it('closes 1009 on a frame of 64 KiB + 1 and 4504 on a binary one', async () => {
    const large = await bob.connect();
    large.raw.send('x'.repeat(64 * 1024 + 1));
    expect((await large.close()).code).toBe(1009);
    const binary = await bob.connect();
    binary.raw.send(Buffer.from('{"type":"ping"}'));
    expect((await binary.close()).code).toBe(4504);
    const allowed = await bob.connect();
    allowed.raw.send(JSON.stringify({ type: 'ping', ref: 'r', pad: 'x' }).padEnd(64 * 1024));
    await allowed.next('error');
    await allowed.end();
  });

  it('shows a foreign conversation to nobody', async () => {
    const foreign = await mallory.connect();
    foreign.send(textSend({ conversationId: conversation.id }, 'let me in'));
    expect(await foreign.next('error')).toMatchObject({ code: 'no_such_conversation' });
    foreign.send({
      type: 'sync',
      ref: 's',
      conversations: [{ conversationId: conversation.id, position: '0' }],
    });
    const synced = await foreign.next('synced');
    expect(JSON.stringify(synced)).not.toContain('still here');
    for (const path of ['', '/messages']) {
      const real = await mallory.http('GET', `/v1/conversations/${conversation.id}${path}`);
      const random = await mallory.http('GET', `/v1/conversations/nowhere${path}`);
      expect([real.status, real.body.code, real.body.detail]).toEqual([
        404,
        'no_such_conversation',
        random.body.detail,
      ]);
    }
    const put = await mallory.http(
      'PUT',
      `/v1/conversations/${conversation.id}/messages/${uuidv7()}`,
      { content: { kind: 'text', text: 'hi' } },
    );
    expect([put.status, put.body.code]).toEqual([404, 'no_such_conversation']);
    expect(foreign.of('message')).toEqual([]);
    await foreign.end();
  });

  it('refuses a used, foreign, unknown and expired ticket with 401, before 101', async () => {
    const used = await bob.ticket('gateway-1');
    await (await openSocket(used.url, used.ticket)).end();
    await expect(openSocket(used.url, used.ticket)).rejects.toMatchObject({ status: 401 });
    await expect(openSocket(used.url, 'A'.repeat(22))).rejects.toMatchObject({ status: 401 });
    await expect(openSocket(used.url, null)).rejects.toMatchObject({ status: 401 });
    const { url: elsewhere } = await bob.ticket('gateway-2');
    const foreign = await bob.ticket('gateway-1');
    await expect(openSocket(elsewhere, foreign.ticket)).rejects.toMatchObject({ status: 401 });
    // to offer it at the wrong door has not used it up
    const opened = await openSocket(foreign.url, foreign.ticket);
    expect(await opened.next('welcome')).toMatchObject({ gatewayId: 'gateway-1' });
    await opened.end();
    const late = await bob.ticket('gateway-1');
    await new Promise((resolve) => setTimeout(resolve, TICKET_SECONDS * 1_000 + 500));
    await expect(openSocket(late.url, late.ticket)).rejects.toMatchObject({ status: 401 });
  });

  it('lets one of twenty simultaneous uses of a ticket win', async () => {
    const { url, ticket } = await bob.ticket('gateway-1');
    const tries = await Promise.allSettled(
      Array.from({ length: 20 }, () => openSocket(url, ticket)),
    );
    const won = tries.filter((t) => t.status === 'fulfilled');
    expect(won).toHaveLength(1);
    await (won[0] as PromiseFulfilledResult<TestSocket>).value.end();
  });

  it('refuses a foreign Origin with 403', async () => {
    const { url, ticket } = await bob.ticket('gateway-1');
    await expect(
      openSocket(url, ticket, { headers: { origin: 'https://evil.example' } }),
    ).rejects.toMatchObject({ status: 403 });
  });

  it.each(CALLS)('call: %s', async (_name, method, path, body, status, code) => {
    const answer = await ann.http(method, path.replace('SELF', ann.id), body({ ann, bob }));
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('takes a decomposed name as the composed one', async () => {
    const name = `é${randomUUID().slice(0, 6)}`;
    const one = await ann.http('POST', '/v1/users', register({ username: name }));
    const other = await ann.http(
      'POST',
      '/v1/users',
      register({ username: name.normalize('NFD') }),
    );
    expect([one.status, other.status, other.body.code]).toEqual([201, 409, 'username_taken']);
  });

  it('refuses missing, broken and foreign tokens with 401', async () => {
    const forged = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(
      JSON.stringify({ sub: ann.id, did: ann.deviceId, gen: 1, exp: 9e9 }),
    ).toString('base64url')}.`;
    for (const token of [null, 'x', forged, ann.accessToken.slice(0, -4) + 'AAAA']) {
      const answer = await ann.http('GET', '/v1/me', undefined, { token });
      expect([answer.status, answer.body.code]).toEqual([401, 'unauthorized']);
    }
  });

  it('lets no poison reach the log: every record can be read', async () => {
    await stillWorks();
    const log = await lookAtLog(stack);
    expect(log.records).toBeGreaterThan(FRAMES.length);
    expect(log.unreadable).toEqual([]);
    // what is in it is what was answered, nothing else
    const answered = socket.of('sent').map((f) => f['messageId']);
    expect(log.messageIds).toEqual(new Set(answered));
    expect(new Set(log.deadLetters)).toEqual(new Set([0n]));
    expect(socket.closed).toBeNull();
  }, 90_000);
});
