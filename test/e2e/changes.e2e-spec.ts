import { createHash } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import type { Message } from '@tidings/protocol/content';
import { digestText } from '@tidings/protocol/digest';
import type { Conversation } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Holding } from '../support/holding';
import { makeGroup } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';

describe('messages are answered, edited and deleted', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let ann2: ChatUser;
  let bob: ChatUser;
  let eve: ChatUser;
  let a: TestSocket;
  let a2: TestSocket;
  let b: TestSocket;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    ann = await ChatUser.create(stack.gatewayUrls);
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    eve = await ChatUser.create(stack.gatewayUrls);
    ann2 = await ann.onNewDevice(1);
    a = await ann.connect('gateway-1');
    a2 = await ann2.connect('gateway-2');
    b = await bob.connect('gateway-2');
  }, 240_000);
  afterAll(() => stop?.());

  const text = (words: string) => ({ kind: 'text', text: words }) as const;
  const custom = (data: unknown) => ({ kind: 'custom', data }) as const;
  /** JSON text of so many bytes. */
  const sized = (bytes: number): string => 'x'.repeat(bytes - 2);

  /** Sends and waits for the answer. */
  async function sent(socket: TestSocket, frame: object & { messageId: string }): Promise<Frame> {
    const from = socket.frames.length;
    socket.send(frame);
    return socket.find(
      (f) =>
        socket.frames.indexOf(f) >= from &&
        ['sent', 'error'].includes(f.type) &&
        f['messageId'] === frame.messageId,
    );
  }

  /** Asks for a change and waits for its answer, or an error about it. */
  async function changed(
    socket: TestSocket,
    message: Frame | Message,
    content: object | null,
    changeId = uuidv7(),
  ): Promise<Frame> {
    const from = socket.frames.length;
    const { messageId, conversationId } = message as unknown as Message;
    const ids = { changeId, messageId, conversationId };
    socket.send(content ? { type: 'edit', ...ids, content } : { type: 'delete', ...ids });
    return socket.find(
      (f) =>
        socket.frames.indexOf(f) >= from &&
        ((f.type === 'changed' && f['changeId'] === changeId) ||
          (f.type === 'error' && f['ref'] === changeId)),
    );
  }

  const say = async (id: string, words: string): Promise<Frame> =>
    sent(a, textSend({ conversationId: id }, words));
  const seen = (socket: TestSocket, changeId: unknown): Promise<Frame> =>
    socket.find((f) => f.type === 'changed' && f['changeId'] === changeId);
  const digestOf = (messages: readonly Message[]): string =>
    createHash('sha256').update(digestText(messages)).digest('base64url');
  const bare = ({ type: _t, previous: _p, changeId: _c, ...message }: Frame): object => message;

  it('a message carries reply, mentions, app data and custom content on every path', async () => {
    const conversation = await ann.direct(bob);
    const first = await say(conversation.id, 'question');
    const extras = {
      replyTo: first['messageId'],
      mentions: [bob.id, ann.id],
      meta: { color: 'red', list: [1, null, '\u2028'] },
    };
    const frame = {
      ...textSend({ conversationId: conversation.id }, ''),
      content: custom({ poll: ['yes', 'no'] }),
      ...extras,
    };
    const { position } = await sent(a, frame);
    for (const socket of [a, a2, b]) {
      const push = await socket.find((f) => f['messageId'] === frame.messageId && 'previous' in f);
      expect(push).toMatchObject({ ...extras, content: frame.content, position });
    }
    const id = uuidv7();
    const path = `/v1/conversations/${conversation.id}/messages/${id}`;
    const body = { content: text('answer'), ...extras };
    const put = await ann.http<{ position: string }>('PUT', path, body);
    expect(put.status).toBe(200);
    expect((await ann2.http<{ position: string }>('PUT', path, body)).body).toEqual(put.body);
    const pushed = await b.find((f) => f['messageId'] === id);
    const history = await bob.history(conversation.id);
    expect(history.slice(-2)).toEqual([
      expect.objectContaining({ messageId: frame.messageId, content: frame.content, ...extras }),
      bare(pushed),
    ]);
    const holding = new Holding();
    b.onFrame = (f) => holding.take(f);
    await holding.sync(b);
    b.onFrame = null;
    const synced = b.of('synced').at(-1)!['conversations'] as { messages: Message[] }[];
    expect(synced[0]!.messages.slice(-2)).toEqual(history.slice(-2));
    const list = await bob.http<{ items: Conversation[] }>('GET', '/v1/conversations');
    expect(list.body.items[0]!.lastMessage).toEqual(history.at(-1));
  });

  it('the same id with other app data is another message', async () => {
    const { id } = await ann.direct(bob);
    const frame = { ...textSend({ conversationId: id }, 'x'), meta: { b: 1, a: 2 } };
    const first = await sent(a, frame);
    const retry = { retry: true };
    const repeated = (other: object) => ({ ...frame, ...other, ...retry });
    const again = await sent(a2, repeated({ meta: { a: 2, b: 1 } }));
    expect(again).toMatchObject({ type: 'sent', position: first['position'] });
    for (const other of [{ meta: { a: 2 } }, { meta: undefined }, { replyTo: uuidv7() }]) {
      const answer = await sent(a2, repeated(other));
      expect(answer).toMatchObject({ type: 'error', code: 'message_id_conflict' });
    }
  });

  it('every device sees an edit and a deletion live, at its place and with one version', async () => {
    const { id } = await ann.direct(bob);
    const frame = { ...textSend({ conversationId: id }, 'frist'), meta: { kept: true } };
    const { position } = await sent(a, frame);
    const [message] = (await ann.history(id)).slice(-1);
    const edit = await changed(a2, message!, text('first'));
    expect(edit).toMatchObject({
      type: 'changed',
      position,
      content: text('first'),
      meta: { kept: true },
    });
    expect(BigInt(edit['version'] as string)).toBeGreaterThan(BigInt(position as string));
    for (const socket of [a, a2, b]) {
      expect(await seen(socket, edit['changeId'])).toEqual(edit);
    }
    expect(edit['previous']).toBe(position);
    const gone = await changed(a, message!, null);
    const { previous, changeId, ...stub } = gone;
    expect([previous, changeId]).toEqual([edit['version'], expect.any(String)]);
    expect(stub).toEqual({
      type: 'changed',
      conversationId: id,
      messageId: frame.messageId,
      senderId: ann.id,
      position,
      content: { kind: 'deleted' },
      deleted: true,
      version: stub['version'],
      sentAt: message!.sentAt,
    });
    for (const socket of [a2, b]) expect(await seen(socket, changeId)).toEqual(gone);
    expect((await bob.history(id)).at(-1)).toEqual(bare(gone));
    expect(await changed(a, message!, text('back'))).toMatchObject({ code: 'not_found' });
    const after = await say(id, 'after');
    const push = await b.find((f) => f['messageId'] === after['messageId']);
    expect(push['previous']).toBe(stub['version']);
  });

  it('whoever was away gets an edit of the 30th-last message, and a new device has the same', async () => {
    const carol = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    const { id } = await ann.direct(carol);
    const first = await carol.connect('gateway-2');
    const holding = new Holding();
    first.onFrame = (f) => holding.take(f);
    await holding.sync(first);
    for (let i = 0; i < 45; i++) a.send(textSend({ conversationId: id }, `line ${i}`));
    await eventually(() => expect(holding.texts(id)).toHaveLength(46));
    await first.end();
    const whole = await ann.history(id);
    const [edited, deleted] = [whole.at(-30)!, whole.at(-5)!];
    await changed(a, edited, text('one'));
    const last = await changed(a2, edited, text('two'));
    const gone = await changed(a, deleted, null);
    const second = await carol.connect('gateway-1');
    second.onFrame = (f) => holding.take(f);
    await holding.sync(second);
    const history = await carol.history(id);
    const synced = second.of('synced')[0]!['conversations'] as {
      messages: Message[];
      digest: string;
      unread: number;
    }[];
    expect(synced).toMatchObject([{ state: 'behind', more: false, upTo: gone['version'] }]);
    expect(synced[0]!.messages).toEqual([bare(last), bare(gone)]);
    expect([synced[0]!.digest, synced[0]!.unread]).toEqual([digestOf(history), 44]);
    const expected = history.map(({ messageId, position, version }) => ({
      messageId,
      position,
      version,
    }));
    expect(holding.ordered(id)).toMatchObject(expected);
    expect(holding.held(id).have).toBe(gone['version']);
    const other = await carol.onNewDevice(0);
    const fresh = await other.connect('gateway-1');
    const empty = new Holding();
    fresh.onFrame = (f) => empty.take(f);
    await empty.sync(fresh);
    expect(empty.ordered(id)).toMatchObject(expected.slice(-10));
    expect(await other.history(id)).toEqual(history);
    expect(JSON.stringify(history)).not.toContain((deleted.content as { text: string }).text + '"');
    await Promise.all([second.end(), fresh.end()]);
  });

  it('every device of all hears of a title, a role and who leaves, in one order, and finds them so', async () => {
    const bob2 = await bob.onNewDevice();
    const b2 = await bob2.connect('gateway-1');
    const id = await makeGroup(ann, [bob, eve]);
    const path = `/v1/conversations/${id}`;
    const wanted = [
      { kind: 'title', title: 'New' },
      { kind: 'role', userId: bob.id, role: 'admin' },
      { kind: 'removed', userIds: [eve.id] },
      { kind: 'title', title: 'Newer' },
    ];
    const answers = [
      await ann2.http('PATCH', path, { title: 'New' }),
      await ann.http('PATCH', `${path}/members/${bob.id}`, { role: 'admin' }),
      await eve.http('DELETE', `${path}/members/${eve.id}`),
      await bob2.http('PATCH', path, { title: 'Newer' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 204, 200]);
    const last = await say(id, 'behind them');
    const heard = (socket: TestSocket): Frame[] =>
      socket
        .of('conversation')
        .filter((f) => f['conversationId'] === id)
        .slice(1);
    for (const socket of [a, a2, b, b2]) {
      await socket.find((f) => f.type === 'message' && f['messageId'] === last['messageId']);
      expect(heard(socket).map((f) => f['change'])).toEqual(wanted);
      expect(heard(socket)).toEqual(heard(a));
    }
    for (const user of [ann, ann2, bob, bob2]) {
      const { body } = await user.http<Conversation>('GET', path);
      expect([body.title, body.memberCount]).toEqual(['Newer', 2]);
      const events = (await user.history(id)).filter((m) => m.content.kind === 'event').slice(1);
      expect(events.map((m) => m.position)).toEqual(heard(a).map((f) => f['position']));
    }
    await b2.end();
  });

  it('nobody changes what is not his, and outsiders learn nothing', async () => {
    const { id } = await ann.direct(bob);
    const mine = await say(id, 'mine');
    for (const content of [text('yours'), null]) {
      expect(await changed(b, mine, content)).toMatchObject({ type: 'error', code: 'not_allowed' });
    }
    const e = await eve.connect('gateway-1');
    for (const target of [
      mine,
      { ...mine, messageId: uuidv7() },
      { ...mine, conversationId: 'x' },
    ]) {
      const answer = await changed(e, target, null);
      expect(answer).toMatchObject({ code: 'no_such_conversation', retryable: false });
      expect(answer).not.toHaveProperty('messageId');
    }
    const nothing = await changed(a, { ...mine, messageId: uuidv7() }, text('x'));
    expect(nothing).toMatchObject({ code: 'not_found' });
    const [created] = await ann.history(id);
    expect(await changed(a, created!, null)).toMatchObject({ code: 'not_allowed' });
    expect(await changed(a, mine, custom(1))).toMatchObject({ code: 'not_allowed' });
    expect((await bob.history(id)).at(-1)).toMatchObject({ content: text('mine'), version: '0' });
    await e.end();
  });

  it('a change id counts once, also twice at once on two gateways', async () => {
    const { id } = await ann.direct(bob);
    const mine = await say(id, 'once');
    const changeId = uuidv7();
    const both = await Promise.all([a, a2].map((s) => changed(s, mine, text('more'), changeId)));
    expect(new Set(both.map((f) => f['version'])).size).toBe(1);
    const [first] = both;
    const later = await changed(a, mine, text('most'));
    const again = await changed(a2, mine, text('more'), changeId);
    expect(again).toMatchObject({ version: first!['version'], content: text('more') });
    expect((await bob.history(id)).at(-1)).toEqual(bare(later));
    const versions = b.of('changed').filter((f) => f['changeId'] === changeId);
    expect(new Set(versions.map((f) => f['version']))).toEqual(new Set([first!['version']]));
    for (const [socket, content] of [
      [a, text('other')],
      [a, null],
      [b, text('more')],
    ] as const) {
      const conflict = await changed(socket, mine, content, changeId);
      expect(conflict).toMatchObject({ type: 'error', code: 'message_id_conflict' });
    }
  });

  it('keeps its limits at n and n + 1, over both ways', async () => {
    const { id } = await ann.direct(bob);
    const ids = (n: number): string[] => Array.from({ length: n }, () => uuidv7());
    const cases: [object, object, string][] = [
      [
        { meta: sized(LIMITS.metaBytes) },
        { meta: sized(LIMITS.metaBytes + 1) },
        'payload_too_large',
      ],
      [
        { content: custom(sized(LIMITS.customBytes)) },
        { content: custom(sized(LIMITS.customBytes + 1)) },
        'payload_too_large',
      ],
      [{ mentions: ids(50) }, { mentions: ids(51) }, 'invalid_frame'],
    ];
    for (const [fits, exceeds, code] of cases) {
      const frame = textSend({ conversationId: id }, 'x');
      expect(await sent(a, { ...frame, ...exceeds })).toMatchObject({ type: 'error', code });
      expect(await sent(a, { ...frame, ...fits })).toMatchObject({ type: 'sent' });
      const put = (body: object) =>
        ann.http('PUT', `/v1/conversations/${id}/messages/${uuidv7()}`, {
          content: text('x'),
          ...body,
        });
      expect((await put(fits)).status).toBe(200);
      const wanted = code === 'invalid_frame' ? 'invalid_request' : code;
      expect((await put(exceeds)).body.code).toBe(wanted);
    }
    const mine = await say(id, 'x');
    const long = 'y'.repeat(LIMITS.textBytes);
    expect(await changed(a, mine, text(`${long}y`))).toMatchObject({ code: 'text_too_long' });
    expect(await changed(a, mine, text(long))).toMatchObject({ type: 'changed' });
  });

  it('is refused for now while storage is away, and done afterwards with the same id', async () => {
    const { id } = await ann.direct(bob);
    const mine = await say(id, 'patience');
    const changeId = uuidv7();
    await eventually(async () =>
      expect((await ann.history(id)).at(-1)).toMatchObject({ messageId: mine['messageId'] }),
    );
    const nodes = Object.keys(stack.nodes).filter((name) => name.startsWith('storage'));
    await Promise.all(nodes.map((name) => stack.node(name).stop()));
    const refused = await changed(a, mine, text('later'), changeId);
    expect(refused).toMatchObject({ code: 'unavailable', retryable: true });
    expect(await say(id, 'goes on')).toMatchObject({ type: 'sent' });
    await Promise.all(nodes.map((name) => stack.node(name).restart()));
    const done = await eventually(async () => {
      const answer = await changed(a, mine, text('later'), changeId);
      expect(answer.type).toBe('changed');
      return answer;
    }, 20_000);
    expect((await bob.history(id)).find((m) => m.messageId === mine['messageId'])).toEqual(
      bare(done),
    );
  });
});
