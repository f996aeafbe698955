import type { Conversation, Page } from '@tidings/protocol/http';
import { uuidv7 } from 'uuidv7';
import type { Answer, ChatUser } from '../../support/chat-user';
import { eventually } from '../../support/eventually';
import { addTo, makeGroup, removeFrom, say } from '../../support/talk';
import type { TestSocket } from '../../support/test-socket';
import { framesOf, type Given, rolesOf, setRole, shown, told } from './group-support';

/** Who may do what: owners, admins, members, and those who are none. */
export function roleTests(given: () => Given): void {
  it('a leaving owner passes the group to the oldest admin, else the oldest member', async () => {
    const { ann, bob, carol, dave } = given();
    const id = await makeGroup(ann, [bob]);
    await addTo(ann, id, carol);
    await addTo(ann, id, dave);
    await setRole(ann, id, dave, 'admin');
    expect((await removeFrom(ann, id, ann)).status).toBe(204);
    expect(await rolesOf(bob, id)).toEqual({
      [dave.id]: 'owner',
      [bob.id]: 'member',
      [carol.id]: 'member',
    });
    await removeFrom(dave, id, dave);
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

  it('every device of every member is told of roles and removals, of a removed one no more', async () => {
    const { ann, bob, carol } = given();
    const id = await makeGroup(ann, [bob, carol]);
    const both = async (user: ChatUser): Promise<TestSocket[]> => [
      await user.connect('gateway-1'),
      await (await user.onNewDevice()).connect('gateway-2'),
    ];
    const [anns, bobs, carols] = [await both(ann), await both(bob), await both(carol)];
    await setRole(ann, id, bob, 'admin');
    expect((await removeFrom(bob, id, carol)).status).toBe(204);
    await setRole(ann, id, bob, 'member');
    const last = await say(anns[1]!, id, 'without carol');
    expect(last.type).toBe('sent');
    const roles = (role: string) => ({ kind: 'role', userId: bob.id, role });
    const removal = { kind: 'removed', userIds: [carol.id] };
    for (const socket of [...anns, ...bobs]) {
      await socket.find((f) => f.type === 'message' && f['messageId'] === last['messageId']);
      expect(framesOf(socket, id).map((f) => f['change'] ?? f['content'])).toMatchObject([
        roles('admin'),
        removal,
        roles('member'),
        { text: 'without carol' },
      ]);
    }
    for (const socket of carols) {
      await told(socket, id, 'removed');
      // behind it in the same inbox: what had been sent to her would have come
      const { id: direct } = await ann.direct(carol);
      const { messageId } = await say(anns[0]!, direct, 'elsewhere');
      await socket.find((f) => f.type === 'message' && f['messageId'] === messageId);
      expect(framesOf(socket, id).map((f) => f['change'])).toMatchObject([roles('admin'), removal]);
    }
    await Promise.all([...anns, ...bobs, ...carols].map((socket) => socket.end()));
  });

  it('roles decide who may do what', async () => {
    const { ann, bob, carol, dave, eve } = given();
    const id = await makeGroup(ann, [bob, carol]);
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
        await status(addTo(user, id, dave)),
        await status(removeFrom(user, id, dave)),
        await status(user === ann ? setRole(ann, id, ann, 'member') : removeFrom(user, id, ann)),
        await status(setRole(user, id, carol, 'admin')),
        await status(setRole(user, id, carol, 'member')),
      ];
      expect([user.username, found]).toEqual([user.username, expected]);
    }
    expect(await status(addTo(ann, id, { id: uuidv7() }))).toBe('not_found');
    expect(await status(setRole(ann, id, eve, 'admin'))).toBe('not_found');
    expect(await status(removeFrom(ann, id, eve))).toBe('not_found');
    const direct = await ann.direct(bob);
    const renamed = ann.http('PATCH', `/v1/conversations/${direct.id}`, { title: 'x' });
    expect(await status(renamed)).toBe(no);
    expect(await status(addTo(ann, direct.id, carol))).toBe(no);
  });

  it('outsiders and removed members meet nothing on any call', async () => {
    const { ann, bob, carol, eve } = given();
    const id = await makeGroup(ann, [bob, carol]);
    await removeFrom(ann, id, carol);
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
}
