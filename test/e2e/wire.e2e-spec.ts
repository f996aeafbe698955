import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import type { Stack } from '../../tools/stack/stack';
import { startTestStack } from '../support/test-stack';
import { RecordedSocket, WireRecording } from '../support/wire-recording';

/** The exchange as it went over the wire when it was recorded. `WIRE_RECORD=1` records it anew. */
const RECORDED = join(__dirname, 'wire', 'exchange.txt');
const PASSWORD = 'correct horse battery staple';
/** In the answer of a change: how a conversation is as far as storage has come, which differs. */
const SO_FAR =
  /(?:"lastPosition":"\d+",)?"unread":\d+,"digest":"[^"]+"(?:,"lastMessage":\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})?/;

interface Person {
  userId: string;
  deviceId: string;
  token: string;
}

describe('the wire', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  const recording = new WireRecording();
  const sockets: RecordedSocket[] = [];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 1, session: 1, storage: 1, presence: 1 },
    }));
  }, 240_000);
  afterAll(async () => {
    for (const socket of sockets) socket.end();
    await stop?.();
  });

  /** One call over HTTP; its answer as text is part of the recording. */
  async function call(
    who: string,
    token: string | null,
    line: string,
    body?: object | string,
  ): Promise<Record<string, unknown>> {
    const [method = '', path = ''] = line.split(' ');
    const text = typeof body === 'object' ? JSON.stringify(body) : body;
    const response = await fetch(`${stack.gatewayUrls[0]!}${path}`, {
      method,
      headers: {
        ...(text !== undefined && { 'Content-Type': 'application/json' }),
        ...(token !== null && { Authorization: `Bearer ${token}` }),
      },
      body: text,
    });
    const answer = await response.text();
    const value = (answer === '' ? {} : JSON.parse(answer)) as Record<string, unknown>;
    // a busy machine: what counts is the answer when storage has caught up
    if (value['delayed'] === true) return call(who, token, line, body);
    recording.note(`${who}>`, text === undefined ? line : `${line} ${text}`);
    const type = response.headers.get('content-type');
    const head = type === null ? `${response.status}` : `${response.status} ${type}`;
    const sure = method === 'GET' ? answer : answer.replace(SO_FAR, '"…":"…"');
    recording.note(`${who}<`, `${head} ${sure}`.trimEnd());
    return value;
  }

  async function login(who: string, username: string): Promise<Person> {
    const body = { username, password: PASSWORD };
    const answer = await call(who, null, 'POST /v1/auth/login', body);
    const { deviceId, accessToken, user } = answer as Record<string, string> & {
      user: { id: string };
    };
    recording.name(deviceId!, `${who}'s device`);
    return { userId: user.id, deviceId: deviceId!, token: accessToken! };
  }

  async function connect(who: string, { deviceId, token }: Person): Promise<RecordedSocket> {
    const answer = await call(who, token, 'POST /v1/connections', { deviceId });
    const { ticket, gateways } = answer as { ticket: string; gateways: { url: string }[] };
    const socket = RecordedSocket.open(gateways[0]!.url, ticket, who, recording);
    sockets.push(socket);
    await socket.sees('welcome');
    return socket;
  }

  /** Lists of members come in the order of their ids: so people are named in that order. */
  async function register(): Promise<string[]> {
    const people: { id: string; username: string }[] = [];
    for (const n of [1, 2, 3]) {
      const username = `person_${n}`;
      const body = { username, email: `${username}@example.org`, password: PASSWORD };
      const response = await fetch(`${stack.gatewayUrls[0]!}/v1/users`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ...body, firstName: 'Person', lastName: 'One' }),
      });
      expect(response.status).toBe(201);
      people.push((await response.json()) as { id: string; username: string });
    }
    people.sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const [n, { id, username }] of people.entries()) {
      const name = ['ann', 'bob', 'carl'][n]!;
      recording.name(username, `${name}'s name`);
      recording.name(id, name);
    }
    return people.map(({ username }) => username);
  }

  function newId(name: string): string {
    const id = uuidv7();
    recording.name(id, name);
    return id;
  }

  async function exchange(): Promise<void> {
    const names = await register();
    recording.heading('accounts and logins');
    await call('http', null, 'GET /v1');
    await call('http', null, 'POST /v1/users', { username: 'x', password: 'short' });
    await call('http', null, 'GET /v1/me');
    const ann = await login('ann', names[0]!);
    const bob = await login('bob', names[1]!);
    const carl = await login('carl', names[2]!);
    await call('ann', ann.token, 'GET /v1/me');
    await call('ann', ann.token, `GET /v1/users/${bob.userId}`);
    await call('ann', ann.token, `GET /v1/users/${uuidv7()}`);

    recording.heading('connections');
    const a = await connect('ann', ann);
    const b = await connect('bob', bob);
    a.send({ type: 'ping', ref: 'p' });
    await a.sees('pong');
    await a.syncs({ type: 'sync', ref: '1' });

    recording.heading('a direct conversation');
    const hello = newId('hello');
    const text = (words: string) => ({ kind: 'text', text: words });
    a.send({ type: 'send', messageId: hello, to: bob.userId, content: text('Hello "Bob" – 👋') });
    const [created] = await a.sees('conversation', 'sent', 'message');
    const direct = (JSON.parse(created!) as { conversationId: string }).conversationId;
    recording.name(direct, 'direct');
    await b.sees('conversation', 'message');
    const reply = newId('reply');
    const extras = { replyTo: hello, mentions: [ann.userId], meta: { app: [1, null, 'x'] } };
    const custom = { kind: 'custom', data: { poll: ['a', 'b'] } };
    b.send({ type: 'send', messageId: reply, conversationId: direct, content: custom, ...extras });
    const [, pushed] = await b.sees('sent', 'message');
    await a.sees('message');
    const { position } = JSON.parse(pushed!) as { position: string };

    recording.heading('marks and typing');
    a.send({ type: 'read', conversationId: direct, position });
    await b.sees('receipt');
    await b.repeats({ type: 'typing', conversationId: direct, active: true }, a, 'typing');
    await b.repeats({ type: 'typing', conversationId: direct, active: false }, a, 'typing');

    recording.heading('changes');
    const edit = { type: 'edit', changeId: newId('edit'), messageId: hello };
    a.send({ ...edit, conversationId: direct, content: text('Hello Bob') });
    // the answer, and the push that every device gets
    await a.sees('changed', 'changed');
    await b.sees('changed');
    const removal = { type: 'delete', changeId: newId('removal'), messageId: hello };
    a.send({ ...removal, conversationId: direct });
    await a.sees('changed', 'changed');
    await b.sees('changed');

    recording.heading('nobody there');
    const first = newId('first');
    a.send({ type: 'send', messageId: first, to: carl.userId, content: text('Are you there?') });
    const [begun] = await a.sees('conversation', 'sent', 'message', 'pending');
    recording.name((JSON.parse(begun!) as { conversationId: string }).conversationId, 'other');

    recording.heading('a group');
    const group = { kind: 'group', requestId: 'lunch', title: 'Lunch', history: 'all' };
    const userIds = [bob.userId, carl.userId];
    const made = await call('ann', ann.token, 'POST /v1/conversations', { ...group, userIds });
    const groupId = String(made['id']);
    recording.name(groupId, 'group');
    await a.sees('conversation');
    await b.sees('conversation');
    const lunch = newId('lunch');
    a.send({ type: 'send', messageId: lunch, conversationId: groupId, content: text('At one?') });
    await a.sees('sent', 'message');
    await b.sees('message');
    const inGroup = `/v1/conversations/${groupId}`;
    await call('ann', ann.token, `PATCH ${inGroup}`, { title: 'Dinner', messageTtlSeconds: 3600 });
    await a.sees('conversation', 'conversation');
    await b.sees('conversation', 'conversation');
    const message = `${inGroup}/messages/${newId('late')}`;
    await call('bob', bob.token, `PUT ${message}`, { content: text('At eight.') });
    await a.sees('message');
    await b.sees('message');
    await call('ann', ann.token, `PATCH ${inGroup}/members/${bob.userId}`, { role: 'admin' });
    await a.sees('conversation');
    await b.sees('conversation');
    await call('ann', ann.token, `DELETE ${inGroup}/members/${carl.userId}`);
    await a.sees('conversation');
    await b.sees('conversation');
    await call('ann', ann.token, `GET ${inGroup}/members`);
    await call('ann', ann.token, `GET ${inGroup}/receipts`);
    await call('carl', carl.token, `GET ${inGroup}`);

    recording.heading('histories and syncs');
    await call('bob', bob.token, `GET /v1/conversations/${direct}/messages`);
    await call('bob', bob.token, `GET ${inGroup}/messages?limit=2`);
    const listed = [{ conversationId: direct, position: '0' }];
    await call('bob', bob.token, 'POST /v1/sync', { conversations: listed });
    await b.syncs({
      type: 'sync',
      ref: '2',
      conversations: [{ conversationId: direct, position }],
    });

    recording.heading('contacts');
    await call('ann', ann.token, `PUT /v1/contacts/${bob.userId}`);
    await b.sees('account');
    await call('ann', ann.token, 'GET /v1/contacts');

    recording.heading('refusals');
    a.send('{');
    await a.sees('error');
    a.send({ type: 'shout' });
    await a.sees('error');
    a.send({ type: 'send', messageId: newId('nothing'), conversationId: direct });
    await a.sees('error');
    const long = { messageId: newId('long'), content: text('x'.repeat(16_385)) };
    recording.name('x'.repeat(16_385), '16 385 times x');
    a.send({ type: 'send', conversationId: direct, ...long });
    await a.sees('error');
    const nowhere = { messageId: newId('nowhere'), conversationId: 'A'.repeat(43) };
    a.send({ type: 'send', ...nowhere, content: text('?') });
    await a.sees('error');
    await call('ann', ann.token, `PATCH ${inGroup}`, { title: 7, colour: 'red' });
    await call('ann', ann.token, 'POST /v1/sync', '{');
    await call('ann', ann.token, 'GET /v1/nowhere');
    await call('ann', ann.token, 'DELETE /v1/sync');

    recording.heading('ends');
    const again = await connect('ann', ann);
    await a.isClosed();
    await call('ann', ann.token, 'POST /v1/auth/logout');
    await again.isClosed();
    await call('ann', ann.token, 'GET /v1/me');
  }

  it('is byte for byte what it was', async () => {
    await exchange();
    expect(sockets.flatMap((socket) => socket.left)).toEqual([]);
    const found = recording.toString();
    if (process.env['WIRE_RECORD'] === '1') writeFileSync(RECORDED, found);
    expect(existsSync(RECORDED)).toBe(true);
    expect(found.split('\n')).toEqual(readFileSync(RECORDED, 'utf8').split('\n'));
  }, 180_000);
});
