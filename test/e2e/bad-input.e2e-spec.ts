import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { uuidv7 } from 'uuidv7';
import type { Conversation } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { openSocket, type TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';
import { CALLS, register } from './bad-input/calls';
import { FRAMES } from './bad-input/frames';
import { hostileFrames, LETTERS, POSITIONS } from './bad-input/hostile-fields';
import { lookAtLog } from './bad-input/log-look';

const TICKET_SECONDS = 3;
/** What a log line may be at most: its fields are cut, and stacks of errors are in it. */
const LOG_LINE_BYTES = 16 * 1024;
/** What neither a head nor the body of a small call is too long for. */
const SHORT = POSITIONS.filter((value) => typeof value !== 'string' || value.length < 6_000);
const GATEWAYS = ['gateway-1', 'gateway-2'];

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
  afterAll(() => stop?.());

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

  /** What runs now, by process. */
  const pids = (): Record<string, number> =>
    Object.fromEntries(Object.values(stack.nodes).map(({ id, pid }) => [id, pid]));

  it('a mark at a position of letters is refused, and its gateway goes on', async () => {
    const before = pids();
    for (const id of GATEWAYS) {
      const hostile = await mallory.connect(id);
      const other = await bob.connect(id);
      for (const type of ['read', 'received']) {
        hostile.send({ type, conversationId: 'x', position: LETTERS });
        expect(await hostile.next('error')).toMatchObject({
          code: 'invalid_frame',
          retryable: false,
        });
      }
      for (const socket of [hostile, other]) {
        socket.send({ type: 'ping', ref: 'still here' });
        expect(await socket.next('pong')).toMatchObject({ ref: 'still here' });
        await socket.end();
      }
    }
    await stillWorks();
    expect(pids()).toEqual(before);
  });

  it.each(['before', 'after'])('a page %s what is no position is refused', async (name) => {
    for (const value of SHORT.filter((one) => typeof one === 'string')) {
      const path = `/v1/conversations/${conversation.id}/messages`;
      const query = new URLSearchParams([[name, value]]).toString();
      const answer = await ann.http('GET', `${path}?${query}`);
      expect([value, answer.status, answer.body.code]).toEqual([value, 400, 'invalid_request']);
    }
  });

  it.each(['read', 'delivered'])('what is no position is refused as %s', async (name) => {
    for (const value of SHORT) {
      const path = `/v1/conversations/${conversation.id}/receipts`;
      const answer = await ann.http('PUT', path, { [name]: value });
      expect([value, answer.status, answer.body.code]).toEqual([value, 400, 'invalid_request']);
    }
  });

  it('refuses hostile values in every field of every frame, each with a typed error', async () => {
    const before = pids();
    for (const id of GATEWAYS) {
      const hostile = await mallory.connect(id);
      for (const frame of hostileFrames()) {
        const errors = hostile.of('error').length;
        hostile.raw.send(frame);
        await hostile.find(() => hostile.of('error').length > errors);
        const { code, retryable, detail } = hostile.of('error').at(-1)!;
        const refusal = expect.stringMatching(/^(invalid_frame|unknown_type)$/) as string;
        expect([code, retryable]).toEqual([refusal, false]);
        expect((detail as string).length).toBeLessThan(1_000);
      }
      // nothing else was answered, and the socket lives
      hostile.send({ type: 'ping', ref: 'still here' });
      expect(await hostile.next('pong')).toMatchObject({ ref: 'still here' });
      expect(hostile.of('error')).toHaveLength(hostileFrames().length);
      expect(hostile.of('synced')).toEqual([]);
      await hostile.end();
    }
    await stillWorks();
    expect(pids()).toEqual(before);
  });

  it('takes any text as since and digest of a sync: they are cursors of somebody else', async () => {
    const hostile = await mallory.connect();
    const texts = [LETTERS, '-1', '\u0000', '\ud800', '__proto__', '\u001b[2J\r\n', 'A'.repeat(64)];
    for (const [n, value] of texts.entries()) {
      const conversations = [{ conversationId: conversation.id, position: '0', digest: value }];
      hostile.send({ type: 'sync', ref: `r${n}`, since: value, conversations });
      const synced = await hostile.find((f) => f.type === 'synced' && f['ref'] === `r${n}`);
      expect(JSON.stringify(synced)).not.toContain('still here');
    }
    await hostile.end();
  });

  it('answers calls that offer HTTP/2 as any other, at every gateway', async () => {
    for (const base of stack.gatewayUrls) {
      const offer = {
        connection: 'Upgrade, HTTP2-Settings',
        upgrade: 'h2c',
        'http2-settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
      };
      const login = { username: ann.username, password: ChatUser.PASSWORD };
      const calls: [string, string, object | null, number][] = [
        ['GET', '/v1', null, 200],
        ['GET', '/v1/me', null, 200],
        ['POST', '/v1/auth/login', login, 200],
        ['PUT', `/v1/conversations/${conversation.id}/receipts`, { read: '0' }, 200],
        ['PUT', `/v1/conversations/${conversation.id}/receipts`, { read: LETTERS }, 400],
        ['GET', '/v1/nothing', null, 404],
      ];
      for (const [method, path, body, status] of calls) {
        const headers = { ...offer, authorization: `Bearer ${ann.accessToken}` };
        expect([path, await statusOf(base + path, method, headers, body)]).toEqual([path, status]);
      }
    }
  });

  it('logs no control character and no long input of a client', async () => {
    // what fails inside is logged with its cause, what is refused is not: both kinds came before
    await stillWorks();
    for (const { id, logPath } of Object.values(stack.nodes)) {
      const log = readFileSync(logPath);
      expect(log.length).toBeGreaterThan(0);
      const controls = log.toString('latin1').match(/[\x00-\x09\x0b-\x1f\x7f]/g) ?? [];
      expect([id, controls]).toEqual([id, []]);
      const lines = log.toString('utf8').split('\n');
      expect(lines.filter((line) => /[\p{Cf}\p{Zl}\p{Zp}]/u.test(line))).toEqual([]);
      expect(lines.filter((line) => line.length > LOG_LINE_BYTES)).toEqual([]);
      expect(lines.filter((line) => line.includes('"msg":"forged"'))).toEqual([]);
    }
  });

  it.each([
    ['exactly the limit, two-byte letters', 'é'.repeat(8192)],
    ['exactly the limit, emoji', '👍'.repeat(4096)],
    ['SQL', `'); DROP TABLE messages; --`],
    [
      'every control character but NUL',
      `seen: ${Array.from({ length: 31 }, (_, i) => String.fromCharCode(i + 1)).join('')}`,
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
  });
});

/** The status of a call with headers that fetch would not send. */
function statusOf(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: object | null,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const json = body ? { 'content-type': 'application/json' } : {};
    const call = request(url, { method, headers: { ...headers, ...json }, timeout: 10_000 });
    call.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode!));
    });
    // a server that takes the offer, or closes, has not answered the call
    call.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode!);
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', reject);
    call.end(body ? JSON.stringify(body) : undefined);
  });
}
