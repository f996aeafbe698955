import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import sharp from 'sharp';
import { uuidv7 } from 'uuidv7';
import type { Conversation } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { titlesOf } from '../docs/test-titles';
import { LIMITS_ELSEWHERE } from '../support/limits-elsewhere';
import { manyUsers } from '../support/many-users';
import { bombPng } from '../support/pictures';
import { makeGroup, postGroup, say, sendAndWait } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';
import { upload } from '../support/uploads';

type Outcome = Promise<Frame | { status: number; body?: unknown }>;
/** What fits, by n, and what does not, by n + 1; the code that says so. */
type Row = [limit: string, at: number, ask: (n: number) => Outcome, code: string];

describe('limits hold at n and n + 1', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let chat: Conversation;
  let socket: TestSocket;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    chat = await ann.direct(bob);
    socket = await ann.connect('gateway-2');
  }, 240_000);
  afterAll(() => stop?.());

  const send = (content: object, extra: object = {}): Outcome =>
    sendAndWait(socket, {
      type: 'send',
      messageId: uuidv7(),
      conversationId: chat.id,
      content,
      ...extra,
    });
  const put = (body: object): Outcome =>
    ann.http('PUT', `/v1/conversations/${chat.id}/messages/${uuidv7()}`, body);
  const get = (path: string): Outcome => ann.http('GET', path);
  const post = (path: string, body: object): Outcome => ann.http('POST', path, body);
  const patch = (path: string, body: object): Outcome => ann.http('PATCH', path, body);
  const text = (n: number) => ({ kind: 'text', text: 'é'.repeat(n >> 1) + 'x'.repeat(n & 1) });
  const deep = (n: number): unknown => (n === 0 ? 1 : { a: deep(n - 1) });
  const ids = (n: number): string => Array.from({ length: n }, () => randomUUID()).join();
  const listed = (n: number) => ({
    conversations: Array.from({ length: n }, () => ({
      conversationId: uuidv7(),
      position: '0',
    })),
  });
  /** A frame whose answer carries its `ref`, or says that the frame is wrong. */
  const ask = async (frame: Frame): Outcome => {
    const from = socket.frames.length;
    socket.send(frame);
    return socket.find(
      (f) => ['pong', 'synced', 'error'].includes(f.type) && socket.frames.indexOf(f) >= from,
    );
  };
  const register = (fields: object): Outcome =>
    ann.http('POST', '/v1/users', {
      username: `u${randomUUID().slice(0, 8)}`,
      email: `${randomUUID()}@example.org`,
      firstName: 'A',
      password: 'long enough for this',
      ...fields,
    });
  const group = (extra: object, userIds: string[] = []): Outcome => postGroup(ann, userIds, extra);
  const image = async (bytes: Buffer, type: string): Outcome => upload(ann, chat.id, bytes, type);
  const jpeg = async (n: number): Promise<Buffer> => {
    const small = { create: { width: 9, height: 5, channels: 3 as const, background: 'red' } };
    return Buffer.concat([await sharp(small).jpeg().toBuffer(), Buffer.alloc(n)]).subarray(0, n);
  };
  const letters = (n: number): string => 'k'.repeat(n);

  const messages: Row[] = [
    ['textBytes', LIMITS.textBytes, (n) => put({ content: text(n) }), 'text_too_long'],
    ['textBytes (caption)', LIMITS.textBytes, (n) => caption(n), 'text_too_long'],
    ['jsonDepth', LIMITS.jsonDepth, (n) => send(text(1), { meta: deep(n) }), 'invalid_frame'],
    [
      'jsonDepth (data)',
      LIMITS.jsonDepth,
      (n) => put({ content: { kind: 'custom', data: deep(n) } }),
      'invalid_request',
    ],
    ['fileNameChars', LIMITS.fileNameChars, (n) => file(letters(n)), 'invalid_frame'],
    ['refChars', LIMITS.refChars, (n) => ask({ type: 'ping', ref: letters(n) }), 'invalid_frame'],
    [
      'refChars (sync)',
      LIMITS.refChars,
      (n) => ask({ type: 'sync', ref: letters(n) }),
      'invalid_frame',
    ],
    [
      'syncListed',
      LIMITS.syncListed,
      (n) => ask({ type: 'sync', ref: 's', ...listed(n) }),
      'invalid_frame',
    ],
    ['syncListed (HTTP)', LIMITS.syncListed, (n) => post('/v1/sync', listed(n)), 'invalid_request'],
    [
      'sinceChars',
      LIMITS.sinceChars,
      (n) => post('/v1/sync', { since: letters(n) }),
      'invalid_request',
    ],
    ['positions', 0, (n) => receipt(n), 'invalid_request'],
  ];
  const media: Row[] = [
    [
      'imageBytes',
      LIMITS.imageBytes,
      async (n) => image(await jpeg(n), 'image/jpeg'),
      'payload_too_large',
    ],
    [
      'imagePixels',
      5_000,
      (n) => image(bombPng(LIMITS.imagePixels / 5_000, n), 'image/png'),
      'payload_too_large',
    ],
  ];
  const conversations: Row[] = [
    ['titleBytes', LIMITS.titleBytes, (n) => group({ title: text(n).text }), 'invalid_request'],
    ['titleBytes (change)', LIMITS.titleBytes, (n) => retitle(text(n).text), 'invalid_request'],
    [
      'characters of requestId',
      64,
      (n) => group({ requestId: uuidv7() + letters(n - 36) }),
      'invalid_request',
    ],
    [
      'historyItems',
      LIMITS.historyItems,
      (n) => get(`/v1/conversations/${chat.id}/messages?limit=${n}`),
      'invalid_request',
    ],
    ['pageItems', LIMITS.pageItems, (n) => get(`/v1/conversations?limit=${n}`), 'invalid_request'],
    [
      'pageItems (members)',
      LIMITS.pageItems,
      (n) => get(`/v1/conversations/${chat.id}/members?limit=${n}`),
      'invalid_request',
    ],
    [
      'pageItems (receipts)',
      LIMITS.pageItems,
      (n) => get(`/v1/conversations/${chat.id}/receipts?limit=${n}`),
      'invalid_request',
    ],
    [
      'pageItems (contacts)',
      LIMITS.pageItems,
      (n) => get(`/v1/contacts?limit=${n}`),
      'invalid_request',
    ],
    [
      'pageItems (blocks)',
      LIMITS.pageItems,
      (n) => get(`/v1/blocks?limit=${n}`),
      'invalid_request',
    ],
  ];
  const people: Row[] = [
    [
      'pageItems (users)',
      LIMITS.pageItems,
      (n) => get(`/v1/users?query=us&limit=${n}`),
      'invalid_request',
    ],
    ['pageItems (ids)', LIMITS.pageItems, (n) => get(`/v1/users?ids=${ids(n)}`), 'invalid_request'],
    [
      'pageItems (presence)',
      LIMITS.pageItems,
      (n) => get(`/v1/presence?userIds=${ids(n)}`),
      'invalid_request',
    ],
    [
      'queryChars',
      LIMITS.queryChars,
      (n) => get(`/v1/users?query=${letters(n)}`),
      'invalid_request',
    ],
    [
      'userQueryMinChars',
      -LIMITS.userQueryMinChars,
      (n) => get(`/v1/users?query=${letters(-n)}`),
      'invalid_request',
    ],
    [
      'usernameMaxChars',
      LIMITS.usernameMaxChars,
      (n) => register({ username: name(n) }),
      'username_invalid',
    ],
    [
      'usernameMinChars',
      -LIMITS.usernameMinChars,
      (n) => register({ username: name(-n) }),
      'username_invalid',
    ],
    ['nameChars', LIMITS.nameChars, (n) => register({ firstName: letters(n) }), 'invalid_request'],
    [
      'nameChars (change)',
      LIMITS.nameChars,
      (n) => patch('/v1/me', { lastName: letters(n) }),
      'invalid_request',
    ],
    ['emailChars', LIMITS.emailChars, (n) => register({ email: mail(n) }), 'invalid_request'],
    [
      'passwordMaxBytes',
      LIMITS.passwordMaxBytes,
      (n) => register({ password: randomUUID().repeat(40).slice(0, n) }),
      'invalid_request',
    ],
    [
      'passwordMinChars',
      -LIMITS.passwordMinChars,
      (n) => register({ password: 'x7$kQ9aLmp'.slice(0, -n) }),
      'weak_password',
    ],
    [
      'gateways to avoid',
      16,
      (n) => post('/v1/connections', { deviceId: ann.deviceId, avoid: Array(n).fill('x') }),
      'invalid_request',
    ],
  ];

  const name = (n: number): string => (randomUUID() + randomUUID()).replace(/-/g, 'x').slice(0, n);
  const mail = (n: number): string => `${name(12)}${letters(n - 24)}@example.org`;
  const retitle = async (title: string): Outcome =>
    patch(`/v1/conversations/${await makeGroup(ann, [])}`, { title });
  const file = async (fileName: string): Outcome => {
    const { mediaId } = (await upload(ann, chat.id, Buffer.from('x'), 'text/plain')).body;
    return send({ kind: 'file', mediaId, name: fileName });
  };
  const caption = async (n: number): Outcome => {
    const { mediaId } = (await upload(ann, chat.id, await jpeg(2_000), 'image/jpeg')).body;
    return send({ kind: 'image', mediaId, caption: text(n).text });
  };
  /** The last entry's position and so many more. */
  const receipt = async (more: number): Outcome => {
    const last = BigInt((await say(socket, chat.id, 'last'))['position'] as string);
    const read = String(last + BigInt(more));
    return ann.http('PUT', `/v1/conversations/${chat.id}/receipts`, { read });
  };

  it.each([...messages, ...media, ...conversations, ...people])(
    '%s %i',
    async (_limit, at, ask, code) => {
      expect(await codeOf(ask(at))).toBe('ok');
      expect(await codeOf(ask(at + 1))).toBe(code);
    },
  );

  async function codeOf(outcome: Outcome): Promise<unknown> {
    const answer = await outcome;
    if ('type' in answer) return answer.type === 'error' ? answer['code'] : 'ok';
    return answer.status < 300 ? 'ok' : (answer.body as { code: string }).code;
  }

  it('a list of members is shown whole up to 32, and not in part above', async () => {
    const others = await manyUsers(stack.databaseUrl, LIMITS.membersInline);
    const shown = async (count: number) =>
      (await postGroup(ann, others.slice(0, count - 1))).body as Conversation;
    const [whole, none] = [
      await shown(LIMITS.membersInline),
      await shown(LIMITS.membersInline + 1),
    ];
    expect([whole.memberCount, whole.members?.length]).toEqual([32, 32]);
    expect([none.memberCount, none.members]).toEqual([33, undefined]);
  });

  it('a request names a thousand users at most', async () => {
    const users = (n: number) => Array.from({ length: n }, () => randomUUID());
    const add = (n: number) => post(`/v1/conversations/${chat.id}/members`, { userIds: users(n) });
    expect(await codeOf(add(LIMITS.groupMembers))).toBe('not_allowed');
    expect(await codeOf(add(LIMITS.groupMembers + 1))).toBe('invalid_request');
    expect(await codeOf(group({}, users(LIMITS.groupMembers)))).toBe('group_full');
    expect(await codeOf(group({}, users(LIMITS.groupMembers + 1)))).toBe('invalid_request');
  });

  it('every limit that clients are told has its test', () => {
    const rows = [...messages, ...media, ...conversations, ...people].map(([limit]) => limit);
    const here = new Set(['membersInline', ...rows.map((limit) => limit.replace(/ .*/, ''))]);
    const elsewhere = new Map(Object.entries(LIMITS_ELSEWHERE));
    const missing = Object.keys(LIMITS).filter((key) => !here.has(key) && !elsewhere.has(key));
    expect(missing).toEqual([]);
    for (const [file, title] of elsewhere.values()) {
      expect(titlesOf(readFileSync(join(__dirname, '../..', file), 'utf8'))).toContain(title);
    }
  });
});
