import { Client } from 'pg';
import type { Message } from '@tidings/common/contracts/content';
import type {
  ChangedConversation,
  Conversation,
  Member,
  Page,
} from '@tidings/common/contracts/http';
import { LIMITS } from '@tidings/common/contracts/limits';
import { uuidv7 } from 'uuidv7';
import { nodeClient } from '@tidings/sdk/node';
import type { Stack } from '../../tools/stack/stack';
import { type Answer, ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Holding } from '../support/holding';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';

/** The documented grace after a removal, and what a busy machine may add to noticing it. */
const GRACE_MS = 1_000;

type Role = 'owner' | 'admin' | 'member';

describe('groups', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let ann2: ChatUser;
  let bob: ChatUser;
  let carol: ChatUser;
  let dave: ChatUser;
  let eve: ChatUser;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    const make = (at: number) => ChatUser.create(stack.gatewayUrls, { at });
    [ann, bob, carol, dave, eve] = (await Promise.all([0, 1, 0, 1, 0].map(make))) as [
      ...[ChatUser, ChatUser, ChatUser, ChatUser, ChatUser],
    ];
    ann2 = await ann.onNewDevice(1);
  }, 240_000);
  afterAll(() => stop?.(), 60_000);

  const post = (
    user: ChatUser,
    users: readonly { id: string }[],
    extra: object = {},
  ): Promise<Answer<Conversation & { code?: string }>> =>
    user.http('POST', '/v1/conversations', {
      ...{ kind: 'group', requestId: uuidv7(), title: 'Friends' },
      ...{ userIds: users.map((u) => u.id), ...extra },
    });
  const group = async (user: ChatUser, users: ChatUser[], extra: object = {}): Promise<string> => {
    const made = await post(user, users, extra);
    expect(made.status).toBe(201);
    return made.body.id;
  };
  const add = (user: ChatUser, id: string, ...users: ChatUser[]) =>
    user.http<ChangedConversation>('POST', `/v1/conversations/${id}/members`, {
      userIds: users.map((u) => u.id),
    });
  const remove = (user: ChatUser, id: string, member: ChatUser) =>
    user.http('DELETE', `/v1/conversations/${id}/members/${member.id}`);
  const setRole = (user: ChatUser, id: string, member: ChatUser, role: Role) =>
    user.http<ChangedConversation>('PATCH', `/v1/conversations/${id}/members/${member.id}`, {
      role,
    });
  const rolesOf = async (user: ChatUser, id: string): Promise<Record<string, Role>> => {
    const answer = await user.http<Page<Member>>('GET', `/v1/conversations/${id}/members`);
    return Object.fromEntries(answer.body.items.map((m) => [m.userId, m.role]));
  };
  const shown = (messages: readonly Message[]): string[] =>
    messages.map(({ content }) => {
      if (content.kind === 'text') return content.text;
      return content.kind === 'event' ? content.event.kind : content.kind;
    });
  const say = async (socket: TestSocket, conversationId: string, text: string): Promise<Frame> => {
    const frame = textSend({ conversationId }, text);
    socket.send(frame);
    return socket.find(
      (f) => (f.type === 'sent' || f.type === 'error') && f['messageId'] === frame.messageId,
    );
  };
  const of = (socket: TestSocket, id: string): Frame[] =>
    socket.frames.filter(
      (f) => f['conversationId'] === id && (f.type === 'message' || f.type === 'conversation'),
    );
  const told = (socket: TestSocket, id: string, kind: string): Promise<Frame> =>
    socket.find(
      (f) =>
        f.type === 'conversation' &&
        f['conversationId'] === id &&
        (f['change'] as { kind: string }).kind === kind,
    );

  it('are made once per request id, and every device of every member hears of it', async () => {
    const sockets = [
      await ann.connect('gateway-1'),
      await ann2.connect('gateway-2'),
      await bob.connect('gateway-2'),
    ];
    const requestId = uuidv7();
    const answers = await Promise.all(
      [ann, ann2, ann, ann2].map((user) => post(user, [bob], { requestId })),
    );
    expect(answers.map((a) => a.status).sort()).toEqual([200, 200, 200, 201]);
    const again = await post(ann2, [carol], { requestId, title: 'Others' });
    const { id } = answers[0]!.body;
    expect([again.status, again.body.id, again.body.title]).toEqual([200, id, 'Friends']);
    expect(answers.every((a) => a.body.id === id)).toBe(true);
    expect(await rolesOf(bob, id)).toEqual({ [ann.id]: 'owner', [bob.id]: 'member' });
    const change = { kind: 'created', conversationKind: 'group', title: 'Friends' };
    for (const socket of sockets) {
      expect(await told(socket, id, 'created')).toMatchObject({ previous: '0', change });
      expect(of(socket, id)).toHaveLength(1);
    }
    await Promise.all(sockets.map((s) => s.end()));
  });

  it('change title and lifetime by entries that all see in one order', async () => {
    const id = await group(ann, [bob]);
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const patch = (body: object) =>
      ann.http<ChangedConversation>('PATCH', `/v1/conversations/${id}`, body);
    const title = await patch({ title: 'Family' });
    expect((await say(a, id, 'hello')).type).toBe('sent');
    const ttl = await patch({ messageTtlSeconds: LIMITS.ttlMinSeconds });
    const off = await patch({ messageTtlSeconds: null });
    expect(title.body).toMatchObject({ title: 'Family', memberCount: 2 });
    expect(ttl.body.messageTtlSeconds).toBe(LIMITS.ttlMinSeconds);
    expect(off.body.messageTtlSeconds).toBeUndefined();
    for (const messageTtlSeconds of [LIMITS.ttlMinSeconds - 1, LIMITS.ttlMaxSeconds + 1]) {
      expect((await patch({ messageTtlSeconds })).status).toBe(400);
    }
    const history = await bob.history(id);
    expect(shown(history)).toEqual(['created', 'title', 'hello', 'ttl', 'ttl']);
    const positions = history.map((m) => m.position);
    expect([title, ttl, off].map((c) => c.body.position)).toEqual(
      [1, 3, 4].map((i) => positions[i]),
    );
    for (const socket of [a, b]) {
      await socket.find((f) => f['position'] === off.body.position);
      const frames = of(socket, id).slice(-4);
      expect(frames.map((f) => f['position'])).toEqual(positions.slice(1));
      expect(frames.map((f) => f['previous'])).toEqual(positions.slice(0, 4));
    }
    await Promise.all([a.end(), b.end()]);
  });

  it.each([
    ['joined', ['added', 'after']],
    ['all', ['created', 'before', 'added', 'after']],
  ])('who is added with history %s sees %j', async (history, expected) => {
    const id = await group(ann, [bob], { history });
    const a = await ann.connect('gateway-1');
    const c = await carol.connect('gateway-2');
    const holding = new Holding();
    await holding.sync(c);
    await say(a, id, 'before');
    const added = await add(ann, id, carol);
    expect(added.body).toMatchObject({ memberCount: 3 });
    await say(a, id, 'after');
    await c.find((f) => f.type === 'message' && f['conversationId'] === id);
    expect(of(c, id).map((f) => f.type)).toEqual(['conversation', 'message']);
    expect(of(c, id)[0]).toMatchObject({ position: added.body.position });
    expect(shown(await carol.history(id))).toEqual(expected);
    const view = await carol.http<Conversation>('GET', `/v1/conversations/${id}`);
    expect(view.body).toMatchObject({ unread: expected.includes('before') ? 2 : 1 });
    const seen: Frame[] = [];
    c.onFrame = (frame) => {
      seen.push(frame);
      holding.take(frame);
    };
    await holding.sync(c);
    const synced = seen
      .flatMap((f) => (f['conversations'] ?? []) as { conversationId: string; state: string }[])
      .find((s) => s.conversationId === id);
    expect(synced).toMatchObject({ state: 'new', more: false });
    expect(holding.texts(id).filter((text) => text !== '')).toEqual(
      expected.filter((x) => x === 'before' || x === 'after'),
    );
    await Promise.all([a.end(), c.end()]);
  });

  it('a removed member sees the removal and nothing after, sends nothing, and may come back', async () => {
    const id = await group(ann, [bob, carol]);
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const c = await carol.connect('gateway-2');
    const holding = new Holding();
    await holding.sync(c);
    await say(c, id, 'carol was here');
    const admitted: { at: number; sent: boolean }[] = [];
    let removing = true;
    const sending = (async () => {
      for (let n = 0; removing || n < 3; n++) {
        const at = performance.now();
        const answer = await say(c, id, `carol ${n}`);
        admitted.push({ at, sent: answer.type === 'sent' });
        if (answer.type === 'error') expect(answer['code']).toBe('no_such_conversation');
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    })();
    expect((await remove(ann, id, carol)).status).toBe(204);
    const removedAt = performance.now();
    const removal = await told(c, id, 'removed');
    for (const text of ['one', 'two', 'three']) await say(a, id, text);
    await eventually(() => expect(admitted.at(-1)?.sent).toBe(false));
    removing = false;
    await sending;
    const late = admitted.filter((s) => s.sent && s.at > removedAt + GRACE_MS);
    expect(late).toEqual([]);
    await b.find((f) => (f['content'] as { text?: string } | undefined)?.text === 'three');
    await say(a, await ann.direct(carol).then((d) => d.id), 'elsewhere');
    await c.find((f) => (f['content'] as { text?: string } | undefined)?.text === 'elsewhere');
    expect(of(c, id).at(-1)).toEqual(removal);
    expect((await carol.http('GET', `/v1/conversations/${id}`)).status).toBe(404);
    const states = async (): Promise<unknown> => {
      const seen: Frame[] = [];
      c.onFrame = (frame) => seen.push(frame);
      holding.conversations.clear();
      await holding.sync(c);
      return seen
        .flatMap((f) => (f['conversations'] ?? []) as { conversationId: string; state: string }[])
        .filter((s) => s.conversationId === id)
        .map((s) => s.state);
    };
    expect(await states()).toEqual(['gone']);
    const back = await add(ann, id, carol);
    expect(await states()).toEqual(['new']);
    await say(a, id, 'welcome back');
    expect(shown(await carol.history(id))).toEqual(['added', 'welcome back']);
    const view = await carol.http<Conversation>('GET', `/v1/conversations/${id}`);
    expect(view.body.visibleFrom).toBe(String(BigInt(back.body.position!) - 1n));
    await Promise.all([a.end(), b.end(), c.end()]);
  });

  it('what lay before joining stays invisible when session and storage begin anew', async () => {
    const id = await group(ann, [bob]);
    const a = await ann.connect('gateway-1');
    await say(a, id, 'before');
    await add(ann, id, dave);
    const d = await dave.connect('gateway-2');
    const gone = await carol.connect('gateway-1');
    await add(ann, id, carol);
    await remove(ann, id, carol);
    await Promise.all([stack.node('session-1').restart(), stack.node('storage-1').restart()]);
    await say(a, id, 'after');
    await d.find((f) => (f['content'] as { text?: string } | undefined)?.text === 'after');
    expect(shown(await dave.history(id))).toEqual(['added', 'added', 'removed', 'after']);
    expect(of(gone, id).some((f) => f.type === 'message')).toBe(false);
    await Promise.all([a.end(), d.end(), gone.end()]);
  }, 60_000);

  it('a leaving owner passes the group to the oldest admin, else the oldest member', async () => {
    const id = await group(ann, [bob]);
    await add(ann, id, carol);
    await add(ann, id, dave);
    await setRole(ann, id, dave, 'admin');
    expect((await remove(ann, id, ann)).status).toBe(204);
    expect(await rolesOf(bob, id)).toEqual({
      ...{ [dave.id]: 'owner', [bob.id]: 'member', [carol.id]: 'member' },
    });
    await remove(dave, id, dave);
    expect(await rolesOf(bob, id)).toEqual({ [bob.id]: 'owner', [carol.id]: 'member' });
    const removed = (await bob.history(id)).flatMap(({ content }) =>
      content.kind === 'event' && content.event.kind === 'removed' ? [content.event] : [],
    );
    expect(removed).toEqual([
      { kind: 'removed', userIds: [ann.id], owner: dave.id },
      { kind: 'removed', userIds: [dave.id], owner: bob.id },
    ]);
    await setRole(bob, id, carol, 'owner');
    expect(await rolesOf(bob, id)).toEqual({ [bob.id]: 'admin', [carol.id]: 'owner' });
  });

  it('roles decide who may do what', async () => {
    const id = await group(ann, [bob, carol]);
    await setRole(ann, id, bob, 'admin');
    const status = async (call: Promise<Answer<unknown>>): Promise<unknown> => {
      const { status: code, body } = await call;
      return code < 300 ? 'ok' : (body as { code: string }).code;
    };
    const patch = (user: ChatUser, body: object) =>
      status(user.http('PATCH', `/v1/conversations/${id}`, body));
    const no = 'not_allowed';
    const matrix: [ChatUser, string[]][] = [
      [carol, [no, no, no, no, no, no, no]],
      [bob, ['ok', 'ok', 'ok', 'ok', no, no, no]],
      [ann, ['ok', 'ok', 'ok', 'ok', no, 'ok', 'ok']],
    ];
    for (const [user, expected] of matrix) {
      const found = [
        await patch(user, { title: `by ${user.username}` }),
        await patch(user, { messageTtlSeconds: user === bob ? 60 : 70 }),
        await status(add(user, id, dave)),
        await status(remove(user, id, dave)),
        await status(user === ann ? setRole(ann, id, ann, 'member') : remove(user, id, ann)),
        await status(setRole(user, id, carol, 'admin')),
        await status(setRole(user, id, carol, 'member')),
      ];
      expect([user.username, found]).toEqual([user.username, expected]);
    }
    expect(await status(add(ann, id, { id: uuidv7() } as ChatUser))).toBe('not_found');
    expect(await status(setRole(ann, id, eve, 'admin'))).toBe('not_found');
    expect(await status(remove(ann, id, eve))).toBe('not_found');
    const direct = await ann.direct(bob);
    const renamed = ann.http('PATCH', `/v1/conversations/${direct.id}`, { title: 'x' });
    expect(await status(renamed)).toBe(no);
    expect(await status(add(ann, direct.id, carol))).toBe(no);
  });

  it('outsiders and removed members meet nothing on any call', async () => {
    const id = await group(ann, [bob, carol]);
    await remove(ann, id, carol);
    const path = `/v1/conversations/${id}`;
    const content = { kind: 'text', text: 'x' };
    const calls: [string, string, unknown?][] = [
      ['GET', path],
      ['PATCH', path, { title: 'x' }],
      ['GET', `${path}/members`],
      ['POST', `${path}/members`, { userIds: [eve.id] }],
      ['PATCH', `${path}/members/${bob.id}`, { role: 'admin' }],
      ['DELETE', `${path}/members/${bob.id}`],
      ['GET', `${path}/messages`],
      ['GET', `${path}/messages?before=9999`],
    ];
    for (const user of [eve, carol]) {
      const self: [string, string] = ['DELETE', `${path}/members/${user.id}`];
      for (const [method, url, body] of [...calls, self]) {
        const answer = await user.http(method, url, body);
        const found = [method, url, answer.status, answer.body.code];
        expect(found).toEqual([method, url, 404, 'no_such_conversation']);
      }
      await eventually(async () => {
        const put = await user.http('PUT', `${path}/messages/${uuidv7()}`, { content });
        expect(put.body.code).toBe('no_such_conversation');
      });
      const list = await user.http<Page<Conversation>>('GET', '/v1/conversations');
      expect(list.body.items.map((c) => c.id)).not.toContain(id);
      const listed = { conversations: [{ conversationId: id, position: '0' }] };
      const synced = await user.http<{ conversations: object[] }>('POST', '/v1/sync', listed);
      expect(synced.body.conversations).toMatchObject([
        { conversationId: id, state: 'gone', messages: [], unread: 0 },
      ]);
      const socket = await user.connect();
      expect(await say(socket, id, 'let me in')).toMatchObject({ code: 'no_such_conversation' });
      await socket.end();
    }
    expect(shown(await bob.history(id))).toEqual(['created', 'removed']);
  });

  it('hold a thousand members and no more, and all of them are sent a message', async () => {
    const ids = Array.from({ length: LIMITS.groupMembers }, () => uuidv7());
    const sql = new Client({ connectionString: stack.databaseUrl });
    await sql.connect();
    await sql.query(
      `INSERT INTO users (id, username, username_key, email, email_key, first_name, password_hash)
       SELECT u, u, u, u, u, 'Many', '' FROM unnest($1::uuid[]) u`,
      [ids],
    );
    await sql.end();
    const many = ids.map((id) => ({ id }));
    const full = await post(ann, many);
    expect([full.status, full.body.code]).toEqual([409, 'group_full']);
    const made = await post(ann, [bob, ...many.slice(2)]);
    expect([made.status, made.body.memberCount]).toEqual([201, LIMITS.groupMembers]);
    const { id } = made.body;
    const more = await add(ann, id, carol);
    expect([more.status, (more.body as { code?: string }).code]).toEqual([409, 'group_full']);
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    await say(a, id, 'to all');
    await b.find((f) => f.type === 'message' && f['conversationId'] === id);
    await ann.http('DELETE', `/v1/conversations/${id}/members/${ids[5]}`);
    expect((await add(ann, id, carol)).status).toBe(200);
    await say(a, id, 'with carol');
    await eventually(() =>
      expect(of(b, id).map((f) => f.type)).toEqual([
        ...['message', 'conversation', 'conversation', 'message'],
      ]),
    );
    expect(shown(await carol.history(id))).toEqual(['added', 'with carol']);
    await Promise.all([a.end(), b.end()]);
  }, 60_000);

  it('the SDK keeps what is looked at fresh, and drops what was left', async () => {
    const login = async (user: ChatUser) => {
      const client = nodeClient({ servers: stack.gatewayUrls });
      await client.login({ username: user.username, password: ChatUser.PASSWORD });
      await client.start();
      await client.whenSynced();
      return client;
    };
    const [owner, other] = await Promise.all([login(ann), login(bob)]);
    try {
      const news: string[] = [];
      const made = await owner.createGroup({
        requestId: uuidv7(),
        title: 'SDK',
        userIds: [bob.id],
      });
      const { id } = made;
      other.on('conversation', (n) => {
        if (n.conversationId === id) news.push(n.what);
      });
      await eventually(() => expect(other.conversations()).toContain(id));
      expect((await other.details(id)).title).toBe('SDK');
      await owner.changeConversation(id, { title: 'Renamed' });
      await owner.addMembers(id, [carol.id]);
      await owner.setRole(id, bob.id, 'admin');
      await eventually(async () => {
        expect(await other.details(id)).toMatchObject({ title: 'Renamed', memberCount: 3 });
      });
      expect((await other.members(id)).items).toHaveLength(3);
      await other.removeMember(id, carol.id);
      await other.leave(id);
      await eventually(() => expect(other.conversations()).not.toContain(id));
      expect(news.at(-1)).toBe('gone');
      expect(other.messages(id).length).toBeGreaterThan(4);
      await expect(other.details(id)).rejects.toMatchObject({ code: 'no_such_conversation' });
      await owner.addMembers(id, [bob.id]);
      await eventually(() => expect(other.conversations()).toContain(id));
      expect(news.at(-1)).toBe('new');
    } finally {
      await Promise.all([owner.stop(), other.stop()]);
    }
  });
});
