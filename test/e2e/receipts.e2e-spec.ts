import type { Conversation, Me, Page, Receipt } from '@tidings/protocol/http';
import type { SyncedBody } from '@tidings/protocol/frames';
import { LIMITS } from '@tidings/protocol/limits';
import { nodeClient } from '@tidings/sdk/node';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { manyUsers } from '../support/many-users';
import { addTo, postGroup, removeFrom } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';

describe('receipts', () => {
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

  /** Sends texts over a socket; gives their positions. */
  async function say(socket: TestSocket, ...texts: string[]): Promise<string[]> {
    const frames = texts.map((text) => textSend({ conversationId: id }, text));
    for (const frame of frames) socket.send(frame);
    const positions: string[] = [];
    for (const { messageId } of frames) {
      const sent = await socket.find((f) => f.type === 'sent' && f['messageId'] === messageId);
      positions.push(sent['position'] as string);
    }
    return positions;
  }
  const isReceipt =
    (of: ChatUser, marks: { delivered?: string; read?: string }) =>
    (f: Frame): boolean =>
      f.type === 'receipt' &&
      f['userId'] === of.id &&
      f['conversationId'] === id &&
      (marks.delivered === undefined || f['delivered'] === marks.delivered) &&
      (marks.read === undefined || f['read'] === marks.read);
  const marksOf = async (asking: ChatUser, of: ChatUser): Promise<Receipt | undefined> => {
    const path = `/v1/conversations/${id}/receipts`;
    const answer = await asking.http<Page<Receipt>>('GET', path);
    return answer.body.items.find((item) => item.userId === of.id);
  };
  const unread = async (user: ChatUser): Promise<number> =>
    (await user.http<Conversation>('GET', `/v1/conversations/${id}`)).body.unread;
  const endAll = (...sockets: TestSocket[]) => Promise.all(sockets.map((s) => s.end()));

  it('ticks at the sender: sent, delivered, read; unread falls on the reader’s other device', async () => {
    const a = await ann.connect('gateway-1');
    const phone = await bob.connect('gateway-2');
    const desk = await (await bob.onNewDevice()).connect('gateway-1');
    const positions = await say(a, 'one', 'two', 'three');
    const [, second, third] = positions as [string, string, string];
    await phone.find((f) => f['position'] === third);
    phone.send({ type: 'received', conversationId: id, position: third });
    expect(await a.find(isReceipt(bob, { delivered: third }))).toMatchObject({ read: '0' });
    phone.send({ type: 'read', conversationId: id, position: second });
    await a.find(isReceipt(bob, { read: second, delivered: third }));
    const told = await desk.find(isReceipt(bob, { read: second }));
    expect(told).toMatchObject({ unread: 1, upTo: third });
    phone.send({ type: 'read', conversationId: id, position: third });
    await a.find(isReceipt(bob, { read: third }));
    expect(await desk.find(isReceipt(bob, { read: third }))).toMatchObject({ unread: 0 });
    await eventually(async () => expect(await unread(bob)).toBe(0));
    // what only the reader's own devices are told stays there; the raising device hears nothing
    expect(a.of('receipt').filter((f) => 'unread' in f)).toEqual([]);
    expect(phone.of('receipt')).toEqual([]);
    await endAll(a, phone, desk);
  });

  it('merges by maximum: backwards changes nothing', async () => {
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const [first, second, third] = (await say(a, 'x', 'y', 'z')) as [string, string, string];
    b.send({ type: 'read', conversationId: id, position: second });
    await a.find(isReceipt(bob, { read: second }));
    b.send({ type: 'read', conversationId: id, position: first });
    b.send({ type: 'received', conversationId: id, position: first });
    b.send({ type: 'received', conversationId: id, position: third });
    await a.find(isReceipt(bob, { delivered: third }));
    expect(a.of('receipt').map((f) => f['read'])).toEqual([second, second]);
    await eventually(async () => {
      expect(await marksOf(ann, bob)).toEqual({ userId: bob.id, delivered: third, read: second });
    });
    expect(b.of('error')).toEqual([]);
    await endAll(a, b);
  });

  it('refuses what lies beyond the log, what is no position, and outsiders', async () => {
    const eve = await ChatUser.create(stack.gatewayUrls);
    const a = await ann.connect('gateway-1');
    const e = await eve.connect('gateway-2');
    const [position] = (await say(a, 'x')) as [string];
    const beyond = String(BigInt(position) + 1_000n);
    a.send({ type: 'read', conversationId: id, position: beyond });
    expect(await a.next('error')).toMatchObject({ code: 'invalid_request', conversationId: id });
    for (const bad of ['-1', '01', 5, '9223372036854775808', undefined]) {
      a.send({ type: 'received', conversationId: id, position: bad });
      expect(await a.next('error')).toMatchObject({ code: 'invalid_frame' });
    }
    const nowhere = 'A'.repeat(43);
    for (const [type, conversationId] of [
      ['received', id],
      ['read', id],
      ['read', nowhere],
    ]) {
      e.send({ type, conversationId, position });
      const error = await e.next('error');
      expect(error).toMatchObject({ code: 'no_such_conversation', conversationId });
    }
    for (const conversationId of [id, nowhere]) {
      const path = `/v1/conversations/${conversationId}/receipts`;
      const answers = [await eve.http('GET', path), await eve.http('PUT', path, { read: '1' })];
      expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
        [404, 'no_such_conversation'],
        [404, 'no_such_conversation'],
      ]);
    }
    expect(e.of('receipt')).toEqual([]);
    expect(await marksOf(ann, ann)).toMatchObject({ read: '0' });
    await endAll(a, e);
  });

  it('raises and lists them over HTTP', async () => {
    const a = await ann.connect('gateway-1');
    const [first, second] = (await say(a, 'x', 'y')) as [string, string];
    const path = `/v1/conversations/${id}/receipts`;
    const raised = await bob.http('PUT', path, { delivered: second, read: first });
    expect([raised.status, raised.body]).toEqual([200, {}]);
    await a.find(isReceipt(bob, { delivered: second, read: first }));
    const beyond = await bob.http('PUT', path, { read: String(BigInt(second) + 1_000n) });
    expect([beyond.status, beyond.body.code]).toEqual([400, 'invalid_request']);
    await eventually(async () => expect(await marksOf(ann, bob)).toMatchObject({ read: first }));
    const page = await ann.http<Page<Receipt>>('GET', `${path}?limit=1`);
    const { cursor, items } = page.body;
    const next = await ann.http<Page<Receipt>>('GET', `${path}?limit=1&cursor=${cursor}`);
    expect([...items, ...next.body.items].map((r) => r.userId)).toEqual([ann.id, bob.id].sort());
    expect(next.body.cursor).toBeUndefined();
    expect((await ann.http('GET', `${path}?cursor=zz`)).status).toBe(400);
    await a.end();
  });

  it('hides read both ways where privacy says so', async () => {
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const desk = await (await bob.onNewDevice()).connect('gateway-1');
    const [first] = (await say(a, 'x')) as [string];
    const [second] = (await say(b, 'y')) as [string];
    const patched = await bob.http<Me>('PATCH', '/v1/me', { privacy: { readReceipts: false } });
    expect(patched.body.privacy).toMatchObject({ readReceipts: false, lastSeen: 'everyone' });
    expect(await desk.next('account')).toEqual({ type: 'account', changed: ['me'] });
    b.send({ type: 'received', conversationId: id, position: first });
    await a.find(isReceipt(bob, { delivered: first, read: '0' }));
    b.send({ type: 'read', conversationId: id, position: first });
    await desk.find(isReceipt(bob, { read: first }));
    // a frame without news would tell when he has read
    expect(a.of('receipt')).toHaveLength(1);
    a.send({ type: 'received', conversationId: id, position: second });
    await b.find(isReceipt(ann, { delivered: second, read: '0' }));
    const told = b.of('receipt').length;
    a.send({ type: 'read', conversationId: id, position: second });
    await eventually(async () => {
      expect(await marksOf(ann, bob)).toMatchObject({ delivered: first, read: '0' });
      expect(await marksOf(bob, ann)).toMatchObject({ delivered: second, read: '0' });
      expect(await marksOf(bob, bob)).toMatchObject({ read: first });
      expect(await marksOf(ann, ann)).toMatchObject({ read: second });
    });
    expect(b.of('receipt')).toHaveLength(told);
    await bob.http('PATCH', '/v1/me', { privacy: { readReceipts: true } });
    expect(await marksOf(ann, bob)).toMatchObject({ read: first });
    b.send({ type: 'read', conversationId: id, position: second });
    await a.find(isReceipt(bob, { read: second }));
    await endAll(a, b, desk);
  });

  it('shows the own profile with its privacy, and changes it', async () => {
    const me = await ann.http<Me>('GET', '/v1/me');
    expect(me.body.privacy).toEqual({
      lastSeen: 'everyone',
      readReceipts: true,
      messages: 'everyone',
      groups: 'everyone',
      findByEmail: false,
    });
    const privacy = { lastSeen: 'nobody', messages: 'contacts', groups: 'contacts' };
    const named = { firstName: 'Ann', lastName: 'Of Green Gables' };
    await ann.http('PATCH', '/v1/me', { ...named, privacy: { ...privacy, findByEmail: true } });
    const after = await ann.http<Me>('GET', '/v1/me');
    expect(after.body).toMatchObject({ ...named, email: me.body.email });
    expect(after.body.privacy).toEqual({ ...privacy, readReceipts: true, findByEmail: true });
    const cleared = await ann.http<Me>('PATCH', '/v1/me', { lastName: null });
    expect(cleared.body).not.toHaveProperty('lastName');
    expect(cleared.body.firstName).toBe('Ann');
    const refused = await ann.http('PATCH', '/v1/me', { privacy: { lastSeen: 'enemies' } });
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid_request']);
  });

  it('shows a sender who was away at his next sync', async () => {
    const a = await ann.connect('gateway-1');
    const [position] = (await say(a, 'x')) as [string];
    await a.end();
    const b = await bob.connect('gateway-2');
    b.send({ type: 'read', conversationId: id, position });
    await eventually(async () => {
      const conversations = [{ conversationId: id, position }];
      const answer = await ann.http<SyncedBody>('POST', '/v1/sync', { conversations });
      const marks = answer.body.conversations[0]!.receipts;
      expect(marks).toContainEqual({ userId: bob.id, delivered: position, read: position });
    });
    await b.end();
  });

  it('keeps two SDK clients of a reader and the sender in step', async () => {
    const [sender, phone, desk] = ['s', 'p', 'd'].map(() =>
      nodeClient({ servers: stack.gatewayUrls }),
    );
    const password = ChatUser.PASSWORD;
    for (const [client, { username }] of [
      [sender!, ann],
      [phone!, bob],
      [desk!, bob],
    ] as const) {
      await client.login({ username, password });
      await client.start();
      await client.whenSynced();
    }
    try {
      for (const text of ['one', 'two', 'three']) sender!.send({ conversationId: id, text });
      await eventually(() => {
        expect(phone!.unread(id)).toBe(3);
        expect(desk!.unread(id)).toBe(3);
      });
      const last = phone!.conversation(id)!.have;
      // `received` goes by itself
      await eventually(() =>
        expect(sender!.readBy(id, last)).toEqual({ delivered: 1, read: 0, of: 1 }),
      );
      phone!.markRead(id);
      expect(phone!.unread(id)).toBe(0);
      await eventually(() => {
        expect(desk!.unread(id)).toBe(0);
        expect(sender!.readBy(id, last)).toEqual({ delivered: 1, read: 1, of: 1 });
      });
      expect(sender!.unread(id)).toBe(0);
      expect((await sender!.loadReceipts(id)).map((r) => r.userId)).toHaveLength(2);
    } finally {
      await Promise.all([sender, phone, desk].map((client) => client!.stop()));
    }
  });

  it('of more than 32 members go to nobody but the reader’s own devices, and are told who asks', async () => {
    const [newcomer, ...many] = await manyUsers(stack.databaseUrl, LIMITS.membersInline - 1);
    const made = await postGroup(ann, [bob.id, ...many]);
    expect([made.status, made.body.memberCount]).toEqual([201, LIMITS.membersInline]);
    id = made.body.id;
    const others = [ann, await ann.onNewDevice()];
    const [a, a2] = [await others[0]!.connect('gateway-1'), await others[1]!.connect('gateway-2')];
    const phone = await bob.connect('gateway-2');
    const desk = await (await bob.onNewDevice()).connect('gateway-1');
    const [first, second, third] = (await say(a, 'x', 'y', 'z')) as [string, string, string];
    const read = (position: string) => phone.send({ type: 'read', conversationId: id, position });
    const readsAt = (socket: TestSocket) =>
      socket
        .of('receipt')
        .filter((f) => f['conversationId'] === id && f['userId'] === bob.id)
        .map((f) => f['read']);
    read(first);
    for (const socket of [a, a2]) await socket.find(isReceipt(bob, { read: first }));

    const added = await addTo(ann, id, { id: newcomer! });
    expect(added.status).toBe(200);
    read(second);
    const told = await desk.find(isReceipt(bob, { read: second }));
    expect(told).toMatchObject({ unread: 1, upTo: added.body.position });
    await eventually(async () =>
      expect(await marksOf(ann, bob)).toEqual({ userId: bob.id, delivered: second, read: second }),
    );
    const path = `/v1/conversations/${id}/receipts`;
    const page = (await ann.http<Page<Receipt>>('GET', path)).body;
    expect([page.items.length, page.cursor]).toEqual([LIMITS.membersInline + 1, undefined]);
    expect(page.items.filter((item) => item.read === second).map((item) => item.userId)).toEqual([
      bob.id,
    ]);
    const client = nodeClient({ servers: stack.gatewayUrls });
    await client.login({ username: ann.username, password: ChatUser.PASSWORD });
    await client.start();
    try {
      await client.whenSynced();
      expect(await client.loadReceipts(id)).toHaveLength(LIMITS.membersInline + 1);
      const of = LIMITS.membersInline;
      expect(client.readBy(id, second)).toEqual({ delivered: 1, read: 1, of });
      expect(client.readBy(id, third)).toEqual({ delivered: 0, read: 0, of });
    } finally {
      await client.stop();
    }

    expect((await removeFrom(ann, id, { id: newcomer! })).status).toBe(204);
    read(third);
    for (const socket of [a, a2]) {
      await socket.find(isReceipt(bob, { read: third }));
      // of the same conversation: what had been pushed before would have come before
      expect(readsAt(socket)).toEqual([first, third]);
    }
    await desk.find(isReceipt(bob, { read: third }));
    expect(readsAt(desk)).toEqual([first, second, third]);
    expect(phone.of('receipt')).toEqual([]);
    await endAll(a, a2, phone, desk);
  });

  it('loses nothing that was appended when storage is killed', async () => {
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const [first, second, third] = (await say(a, 'x', 'y', 'z')) as [string, string, string];
    b.send({ type: 'read', conversationId: id, position: first });
    await a.find(isReceipt(bob, { read: first }));
    await stack.node('storage-1').kill('SIGKILL');
    b.send({ type: 'received', conversationId: id, position: third });
    b.send({ type: 'read', conversationId: id, position: second });
    // pushed without storage, from what session remembers
    await a.find(isReceipt(bob, { delivered: third, read: second }));
    await stack.node('storage-1').restart();
    await eventually(async () => {
      expect(await marksOf(ann, bob)).toEqual({ userId: bob.id, delivered: third, read: second });
    }, 30_000);
    await endAll(a, b);
  });
});
