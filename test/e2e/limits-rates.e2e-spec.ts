import type { Message } from '@tidings/protocol/content';
import { request } from 'node:http';
import { SUBPROTOCOL, TICKET_PROTOCOL_PREFIX, type SyncedBody } from '@tidings/protocol/frames';
import { SOCKET_PATH, type Conversation, type Page } from '@tidings/protocol/http';
import { LIMITS, RATES } from '@tidings/protocol/limits';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { manyUsers } from '../support/many-users';
import { makeGroup, say, sendAndWait } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';

/** Kafka starts, the groups join again. */
const BACK_MS = 60_000;

/** Logins and registrations per minute and address. */
const AUTH_RATE = RATES.auth.perMinute;
/** Sends of one socket that are under way at once: below the limit of those without an answer. */
const AT_ONCE = 50;

/** Each of these has windows of its own. */
let addresses = 100;
const ownAddress = (): string => `127.0.0.${++addresses}`;

/** The status that a call from an address is answered with. */
function answerTo(
  base: string,
  localAddress: string,
  call: { path: string; method?: string; body?: string; headers?: Record<string, string> },
): Promise<number> {
  const { path, body, ...options } = call;
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...call.headers };
    const sent = request(new URL(path, base), { ...options, headers, localAddress });
    sent.once('error', reject);
    sent.once('response', (response) => resolve(response.resume().statusCode!));
    sent.once('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      resolve(statusCode!);
    });
    sent.end(body);
  });
}

/** Asks so often, and expects this status each time; the last ones one by one. */
async function eachAnswered(
  count: number,
  status: number,
  ask: () => Promise<number>,
): Promise<void> {
  const answers: number[] = [];
  while (answers.length < count) {
    const some = Math.max(1, Math.min(AT_ONCE, count - answers.length - AT_ONCE));
    answers.push(...(await Promise.all(Array.from({ length: some }, ask))));
  }
  expect(answers).toHaveLength(count);
  expect(new Set(answers)).toEqual(new Set([status]));
}

/** Rates of addresses and numbers of things under way. Gateway 2 has the default rates of addresses. */
describe('limits of rates hold', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let id: string;

  beforeAll(async () => {
    // an empty value is an unset one
    const defaults = { AUTH_RATE_PER_MINUTE: '', HTTP_RATE_PER_MINUTE: '' };
    ({ stack, stop } = await startTestStack({ nodeEnv: { 'gateway-2': defaults } }));
    ann = await ChatUser.create(stack.gatewayUrls);
    bob = await ChatUser.create(stack.gatewayUrls);
    id = (await ann.direct(bob)).id;
  }, 240_000);
  afterAll(() => stop?.());

  /** Sends all at once; the answers in the order of the sends. */
  async function burst(socket: TestSocket, count: number, text: string): Promise<Frame[]> {
    const frames = Array.from({ length: count }, (_, i) =>
      textSend({ conversationId: id }, `${text} ${i}`),
    );
    for (const frame of frames) socket.send(frame);
    return Promise.all(
      frames.map(({ messageId }) =>
        socket.find(
          (f) => f['messageId'] === messageId && ['sent', 'held', 'error'].includes(f.type),
          BACK_MS,
        ),
      ),
    );
  }

  it('of logins and registrations per address', async () => {
    const [, base] = stack.gatewayUrls;
    const ask = async (n: number) => {
      // another name each time: guesses of one have a limit of their own
      const nobody = { username: `nobody${n}`, password: 'nothing here' };
      const { status, headers, body } = await ann.http('POST', '/v1/auth/login', nobody, { base });
      return { status, code: body.code, wait: Number(headers.get('retry-after')) };
    };
    const answers = [];
    for (let n = 0; n < AUTH_RATE + 3; n++) answers.push(await ask(n));
    expect(new Set(answers.slice(0, AUTH_RATE).map((a) => a.status))).toEqual(new Set([401]));
    for (const refused of answers.slice(AUTH_RATE)) {
      expect(refused).toMatchObject({ status: 429, code: 'rate_limited' });
      expect(refused.wait).toBeGreaterThan(0);
    }
  });

  it('of all calls per address', async () => {
    const [, base] = stack.gatewayUrls;
    const { perMinute } = RATES.request;
    const began = performance.now();
    const statuses: number[] = [];
    // the calls of the other test count for the same address
    const most = perMinute + AT_ONCE;
    while (statuses.length < most) {
      const some = Array.from({ length: AT_ONCE }, () =>
        ann.http('GET', '/v1', undefined, { base }),
      );
      statuses.push(...(await Promise.all(some)).map(({ status }) => status));
    }
    const taken = statuses.filter((status) => status === 200).length;
    expect(statuses.filter((status) => status === 429)).toHaveLength(statuses.length - taken);
    const minutes = Math.ceil((performance.now() - began) / 60_000);
    expect(taken).toBeLessThanOrEqual(perMinute * minutes);
    expect(taken).toBeGreaterThan(perMinute - AUTH_RATE - 20);
  });

  it.each([
    ['what no endpoint takes', { path: '/v1/nothing' }, 404],
    ['a wrong method', { path: '/v1/contacts', method: 'PUT' }, 405],
    ['a body that is no JSON', { path: '/v1/auth/login', method: 'POST', body: '{' }, 400],
    ['a token that nobody signed', { path: '/v1/me', headers: { authorization: 'Bearer x' } }, 401],
  ])('of all calls per address: %s', async (_, call, status) => {
    const [, base] = stack.gatewayUrls;
    const { perMinute } = RATES.request;
    const from = ownAddress();
    await eachAnswered(perMinute, status, () => answerTo(base!, from, call));
    expect(await answerTo(base!, from, call)).toBe(429);
    expect(await answerTo(base!, from, { path: '/v1' })).toBe(429);
    expect(await answerTo(base!, ownAddress(), { path: '/v1' })).toBe(200);
  });

  it('of sockets whose ticket is wrong, per address; its calls go on', async () => {
    const [, base] = stack.gatewayUrls;
    const { perMinute } = RATES.request;
    const from = ownAddress();
    const upgrade = (ticket: string) => ({
      path: SOCKET_PATH,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        'sec-websocket-protocol': `${SUBPROTOCOL}, ${TICKET_PROTOCOL_PREFIX}${ticket}`,
      },
    });
    const wrong = ['made-up', `d${'x'.repeat(22)}`, `r${'x'.repeat(64)}`];
    let tried = 0;
    await eachAnswered(perMinute, 401, () =>
      answerTo(base!, from, upgrade(wrong[tried++ % wrong.length]!)),
    );
    const { ticket } = await ann.ticket('gateway-2');
    expect(await answerTo(base!, from, upgrade(ticket))).toBe(429);
    expect(await answerTo(base!, ownAddress(), upgrade(ticket))).toBe(101);
    expect(await answerTo(base!, from, { path: '/v1' })).toBe(200);
  });

  it('100 sends without an answer', async () => {
    const socket = await ann.connect('gateway-2');
    await say(socket, id, 'before');
    stack.kafka.signal('SIGSTOP');
    let answers: Frame[];
    try {
      answers = await burst(socket, LIMITS.unansweredSends + 1, 'unanswered');
    } finally {
      stack.kafka.signal('SIGCONT');
    }
    const [last] = answers.splice(-1);
    expect(new Set(answers.map((f) => f.type))).toEqual(new Set(['held']));
    expect(last).toMatchObject({ type: 'error', code: 'busy', retryable: true });
    const texts = async () =>
      (await bob.history(id)).flatMap(({ content }) =>
        content.kind === 'text' && content.text.startsWith('unanswered') ? [content.text] : [],
      );
    const all = answers.map((_, i) => `unanswered ${i}`);
    await eventually(async () => expect(await texts()).toEqual(all), BACK_MS);
    const again = textSend({ conversationId: id }, 'unanswered 100', last!['messageId'] as string);
    expect((await sendAndWait(socket, { ...again, retry: true })).type).toBe('sent');
    await socket.end();
  }, 180_000);

  const sync = async (user: ChatUser, body: object) =>
    (await user.http<SyncedBody>('POST', '/v1/sync', body)).body;

  it('a new device is told of 50 conversations, an older one of all', async () => {
    const carol = await ChatUser.create(stack.gatewayUrls);
    const before = await sync(carol, {});
    const most = LIMITS.syncFirstConversations;
    const others = await manyUsers(stack.databaseUrl, most + 1);
    const talkTo = async (other: string) => {
      const body = { kind: 'direct', userIds: [other] };
      const made = await carol.http<Conversation>('POST', '/v1/conversations', body);
      expect(made.status).toBe(201);
      return made.body.id;
    };
    const [oldest, ...later] = others;
    const first = await talkTo(oldest!);
    const ids: string[] = [];
    for (const other of later) {
      ids.push(await talkTo(other));
      if (ids.length === most - 1) {
        // with the first one they are as many as fit
        const told = (await sync(carol, {})).conversations.map((c) => c.conversationId);
        expect(told.sort()).toEqual([first, ...ids].sort());
      }
    }
    const told = (await sync(carol, {})).conversations.map((c) => c.conversationId);
    expect(told.sort()).toEqual([...ids].sort());
    const all = (await sync(carol, { since: before.since })).conversations;
    expect(all.map((c) => c.conversationId).sort()).toEqual([first, ...ids].sort());
  });

  it('a sync has 10 messages of a new conversation, 100 of a known one, and 500 in all', async () => {
    const dora = await ChatUser.create(stack.gatewayUrls);
    const socket = await ann.connect('gateway-1');
    const [ten, hundred] = [LIMITS.syncFirstPerConversation, LIMITS.syncNewestPerConversation];
    const chats: { id: string; begun: string }[] = [];
    for (let n = 0; n * hundred <= LIMITS.syncMessages; n++) {
      const group = await makeGroup(ann, [dora]);
      const { items } = (
        await dora.http<Page<Message>>('GET', `/v1/conversations/${group}/messages`)
      ).body;
      chats.push({ id: group, begun: items.at(-1)!.position });
    }
    const speak = async ({ id: conversationId }: { id: string }, count: number): Promise<void> => {
      for (let left = count; left > 0; left -= AT_ONCE) {
        const some = Array.from({ length: Math.min(left, AT_ONCE) }, () =>
          say(socket, conversationId, 'x'),
        );
        expect(new Set((await Promise.all(some)).map((f) => f.type))).toEqual(new Set(['sent']));
      }
    };
    const [one, ...others] = chats as [(typeof chats)[0], ...typeof chats];
    const seen = async (body: object) => {
      const { conversations, complete } = await sync(dora, body);
      const found = conversations.find((c) => c.conversationId === one.id);
      const total = conversations.reduce((sum, c) => sum + c.messages.length, 0);
      return { messages: found?.messages.length, more: found?.more, total, complete };
    };
    // the entry of its creation is the first of them
    await speak(one, ten - 1);
    expect(await seen({})).toMatchObject({ messages: ten, more: false });
    await speak(one, 1);
    expect(await seen({})).toMatchObject({ messages: ten, more: true });

    const known = { conversations: [{ conversationId: one.id, position: one.begun }] };
    await speak(one, hundred - ten);
    expect(await seen(known)).toMatchObject({ messages: hundred, more: false });
    await speak(one, 1);
    expect(await seen(known)).toMatchObject({ messages: hundred, more: true });

    for (const other of others) await speak(other, hundred);
    const listed = (some: typeof chats) => ({
      conversations: some.map(({ id: conversationId, begun: position }) => ({
        conversationId,
        position,
      })),
    });
    const fitting = LIMITS.syncMessages / hundred;
    expect(await seen(listed(chats.slice(0, fitting)))).toMatchObject({
      total: LIMITS.syncMessages,
      complete: true,
    });
    const part = await seen(listed(chats));
    expect(part.total).toBeLessThanOrEqual(LIMITS.syncMessages);
    expect(part.complete).not.toBe(true);
    await socket.end();
  }, 180_000);
});
