import type { ChangedConversation } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { uuidv7 } from 'uuidv7';
import { nodeClient } from '@tidings/sdk/node';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { manyChatUsers } from '../support/many-users';
import { addTo, makeGroup, postGroup, say } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { TestSocket } from '../support/test-socket';
import { framesOf, rolesOf, shown, told } from './groups/group-support';
import { membershipTests } from './groups/membership';
import { roleTests } from './groups/roles';

/** Connects of a thousand members that are under way at once. */
const AT_ONCE = 40;
/** Until a thousand members have a message, on a busy machine, milliseconds. */
const ALL_MS = 60_000;

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
  afterAll(() => stop?.());

  it('are made once per request id, and every device of every member hears of it', async () => {
    const sockets = [
      await ann.connect('gateway-1'),
      await ann2.connect('gateway-2'),
      await bob.connect('gateway-2'),
    ];
    const requestId = uuidv7();
    const answers = await Promise.all(
      [ann, ann2, ann, ann2].map((user) => postGroup(user, [bob.id], { requestId })),
    );
    expect(answers.map((a) => a.status).sort()).toEqual([200, 200, 200, 201]);
    const again = await postGroup(ann2, [carol.id], { requestId, title: 'Others' });
    const { id } = answers[0]!.body;
    expect([again.status, again.body.id, again.body.title]).toEqual([200, id, 'Friends']);
    expect(answers.every((a) => a.body.id === id)).toBe(true);
    expect(await rolesOf(bob, id)).toEqual({ [ann.id]: 'owner', [bob.id]: 'member' });
    const change = { kind: 'created', conversationKind: 'group', title: 'Friends' };
    for (const socket of sockets) {
      expect(await told(socket, id, 'created')).toMatchObject({ previous: '0', change });
      expect(framesOf(socket, id)).toHaveLength(1);
    }
    await Promise.all(sockets.map((s) => s.end()));
  });

  it('change title and lifetime by entries that all see in one order', async () => {
    const id = await makeGroup(ann, [bob]);
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
      const frames = framesOf(socket, id).slice(-4);
      expect(frames.map((f) => f['position'])).toEqual(positions.slice(1));
      expect(frames.map((f) => f['previous'])).toEqual(positions.slice(0, 4));
    }
    await Promise.all([a.end(), b.end()]);
  });

  const given = () => ({ stack, ann, bob, carol, dave, eve });
  membershipTests(given);
  roleTests(given);

  it('hold a thousand members and no more, and all of them are sent a message', async () => {
    const everybody = await manyChatUsers(stack, LIMITS.groupMembers);
    const ids = everybody.map((user) => user.id);
    const full = await postGroup(ann, ids);
    expect([full.status, full.body.code]).toEqual([409, 'group_full']);
    const made = await postGroup(ann, [bob.id, ...ids.slice(2)]);
    expect([made.status, made.body.memberCount]).toEqual([201, LIMITS.groupMembers]);
    const { id } = made.body;
    const more = await addTo(ann, id, carol);
    expect([more.status, more.body.code]).toEqual([409, 'group_full']);
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const sockets = await connectAll(everybody.slice(2));
    const { messageId } = await say(a, id, 'to all');
    for (const socket of [b, ...sockets]) {
      await socket.find((f) => f.type === 'message' && f['messageId'] === messageId, ALL_MS);
    }
    await ann.http('DELETE', `/v1/conversations/${id}/members/${ids[5]}`);
    expect((await addTo(ann, id, carol)).status).toBe(200);
    await say(a, id, 'with carol');
    await eventually(() =>
      expect(framesOf(b, id).map((f) => f.type)).toEqual([
        'message',
        'conversation',
        'conversation',
        'message',
      ]),
    );
    expect(shown(await carol.history(id))).toEqual(['added', 'with carol']);
    // once each, and nothing else that one of them alone should see
    for (const socket of sockets) {
      const copies = socket.of('message').filter((f) => f['messageId'] === messageId);
      expect(copies).toMatchObject([{ conversationId: id, content: { text: 'to all' } }]);
    }
    for (const socket of sockets) socket.cut();
    await Promise.all([a.end(), b.end()]);
  }, 180_000);

  /** Connects some at a time. */
  async function connectAll(users: readonly ChatUser[]): Promise<TestSocket[]> {
    const sockets: TestSocket[] = [];
    for (let from = 0; from < users.length; from += AT_ONCE) {
      const some = users.slice(from, from + AT_ONCE);
      sockets.push(...(await Promise.all(some.map((user) => user.connect()))));
    }
    return sockets;
  }

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
