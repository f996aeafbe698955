import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import type { Message } from '@tidings/protocol/content';
import { clientFrame } from '@tidings/protocol/frames';
import { maxPosition } from '@tidings/protocol/positions';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { mixtures, unknownIds, type NamedIds } from '../support/named-ids';
import { CALLS, CALLS_APART, FRAMES, FRAMES_APART, withoutNote } from '../support/outsider-tables';
import { probeCall, probeFrame } from '../support/probe';
import { change, makeGroup, removeFrom, say, sendAndWait } from '../support/talk';
import { succeeds } from '../support/succeeds';
import { startTestStack } from '../support/test-stack';
import type { TestSocket } from '../support/test-socket';
import { filesBelow, smallPng, upload } from '../support/uploads';

/** The documented grace after a removal or a block. */
const GRACE_MS = 1_000;
/** What is said in one place. */
const secretOf = (where: string): string => `nobody else reads this of ${where}`;

/**
 * A removed member, somebody who never was one, and a user who is blocked by a member name every id
 * in every call and frame: the answer is that for ids that do not exist.
 */
describe('who is not in a conversation', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  const outsiders: Record<string, { user: ChatUser; socket: TestSocket }> = {};
  /** Ids of a group from before and after the removal, and of a direct conversation. */
  const worlds: Record<string, NamedIds> = {};
  let groupId: string;
  let a: TestSocket;
  let b: TestSocket;
  let before: unknown;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    const make = (at: number): Promise<ChatUser> => ChatUser.create(stack.gatewayUrls, { at });
    const [carol, eve, mallory] = (await Promise.all([0, 1, 0].map(make))) as [
      ...[ChatUser, ChatUser, ChatUser],
    ];
    [ann, bob] = [await make(0), await make(1)];
    [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    groupId = await makeGroup(ann, [bob, carol]);
    const direct = await ann.direct(bob);
    const c = await carol.connect('gateway-1');
    // her own message, change and upload: once she could name them all
    await grow('the group, before the removal', carol, c, groupId);
    await succeeds(() => removeFrom(ann, groupId, carol));
    const removedAt = performance.now();
    await grow('the group, after the removal', ann, a, groupId);
    await grow('a direct conversation', bob, b, direct.id);
    await succeeds(() => ann.http('PUT', `/v1/blocks/${mallory.id}`));
    outsiders['a removed member'] = { user: carol, socket: c };
    outsiders['who never was a member'] = { user: eve, socket: await eve.connect('gateway-2') };
    outsiders['a blocked user'] = { user: mallory, socket: await mallory.connect('gateway-1') };
    const rest = removedAt + GRACE_MS - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, rest)));
    before = await state();
  }, 240_000);
  afterAll(() => stop?.());

  /** Lets somebody say, show and change something, and notes the ids of all that. */
  async function grow(
    where: string,
    user: ChatUser,
    socket: TestSocket,
    conversationId: string,
  ): Promise<void> {
    const secret = secretOf(where);
    const png = await smallPng();
    const { mediaId } = (await succeeds(() => upload(user, conversationId, png))).body;
    await sendAndWait(socket, {
      type: 'send',
      messageId: uuidv7(),
      conversationId,
      content: { kind: 'image', mediaId, caption: secret },
    });
    const said = await say(socket, conversationId, `${secret} at first`);
    const messageId = said['messageId'] as string;
    const changeId = uuidv7();
    const content = { kind: 'text', text: `${secret} at last` };
    await change(socket, { conversationId, messageId }, content, changeId);
    const position = said['position'] as string;
    const { id: userId, deviceId } = user === ann ? bob : ann;
    const ids = { conversationId, messageId, changeId, mediaId, userId, deviceId, position };
    worlds[where] = ids;
  }

  /** What the members and the disks hold. */
  async function state(): Promise<unknown> {
    const ids = [...new Set(Object.values(worlds).map((w) => w.conversationId))];
    const histories = await Promise.all(ids.map((id) => bob.history(id)));
    const views = await Promise.all(ids.map((id) => ann.http('GET', `/v1/conversations/${id}`)));
    const devices = await ann.http<{ items: { id: string }[] }>('GET', '/v1/me/devices');
    return {
      histories,
      views: views.map((v) => v.body),
      devices: devices.body.items.map((d) => d.id),
      files: filesBelow(join(stack.dir, 'media')),
    };
  }

  const named = (): [string, string][] =>
    Object.keys(outsiders).flatMap((who) =>
      Object.keys(worlds).map((where) => [who, where] as [string, string]),
    );

  it('the tables name every documented call and every frame', () => {
    const page = readFileSync(join(__dirname, '../../docs/PROTOCOL.md'), 'utf8');
    const documented = [...page.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/[^`\s]*)/g)].map(
      ([, method, path]) => `${method} ${path!.replace(/\?.*$/, '')}`,
    );
    expect(documented.length).toBeGreaterThan(40);
    const known = new Set([...Object.keys(CALLS).map(withoutNote), ...CALLS_APART]);
    expect(documented.filter((call) => !known.has(call))).toEqual([]);
    const types = clientFrame.options.map((o) => o.shape.type.value as string);
    const frames = new Set([...Object.keys(FRAMES).map(withoutNote), ...FRAMES_APART]);
    expect(types.filter((type) => !frames.has(type))).toEqual([]);
  });

  it('is answered on every call as for ids that do not exist', async () => {
    const found: string[] = [];
    for (const [who, where] of named()) {
      const { user } = outsiders[who]!;
      for (const [key, callOf] of Object.entries(CALLS)) {
        const method = key.slice(0, key.indexOf(' '));
        const probe = (ids: NamedIds) =>
          probeCall(user, { method, ...callOf(ids, user.id) }, ids).then((o) => JSON.stringify(o));
        const expected = await probe(unknownIds(worlds[where]!.position));
        expect([key, expected]).toEqual([key, expect.stringMatching(/"status":(404|200)/)]);
        for (const [how, ids] of mixtures(worlds[where]!)) {
          const answer = await probe(ids);
          if (answer !== expected)
            found.push(`${who}, ${where}, ${key}, ${how}: ${answer}\n  not ${expected}`);
        }
      }
    }
    expect(found.slice(0, 5)).toEqual([]);
  }, 180_000);

  it('is answered with a cursor as without one', async () => {
    for (const [who, where] of named()) {
      const { user } = outsiders[who]!;
      const ids = worlds[where]!;
      for (const list of ['members', 'receipts']) {
        const call = `GET /v1/conversations/:id/${list}`;
        const probe = (key: string) =>
          probeCall(user, { method: 'GET', ...CALLS[key]!(ids, user.id) }, ids);
        const plain = await probe(call);
        expect(plain).toMatchObject({ status: 404 });
        expect([who, list, await probe(`${call} (cursor)`)]).toEqual([who, list, plain]);
      }
    }
  });

  it('is answered on every frame as for ids that do not exist', async () => {
    const found: string[] = [];
    for (const [who, where] of named()) {
      const { socket } = outsiders[who]!;
      for (const [key, frameOf] of Object.entries(FRAMES)) {
        const probe = async (ids: NamedIds) =>
          JSON.stringify(await probeFrame(socket, frameOf(ids), ids));
        const expected = await probe(unknownIds(worlds[where]!.position));
        for (const [how, ids] of mixtures(worlds[where]!)) {
          const answer = await probe(ids);
          if (answer !== expected)
            found.push(`${who}, ${where}, ${key}, ${how}: ${answer}\n  not ${expected}`);
        }
      }
    }
    expect(found.slice(0, 5)).toEqual([]);
  }, 180_000);

  it('gains nothing by naming foreign ids inside a conversation of his own', async () => {
    const found: string[] = [];
    for (const [who, where] of named()) {
      const { user, socket } = outsiders[who]!;
      const own = await makeGroup(user, []);
      const text = { content: { kind: 'text', text: 'x' } };
      const at = `/v1/conversations/${own}`;
      const foreign: NamedIds = { ...worlds[where]!, userId: ann.id, conversationId: own };
      const both = async (key: string, probe: (ids: NamedIds) => Promise<unknown>) => {
        const unknown = { ...unknownIds(), conversationId: own };
        const [answer, expected] = [await probe(foreign), await probe(unknown)];
        const [one, other] = [answer, expected].map((value) => JSON.stringify(value));
        if (one !== other) found.push(`${who}, ${where}, ${key}: ${one}\n  not ${other}`);
      };
      const calls: Record<string, (ids: NamedIds) => { path: string; body?: unknown }> = {
        PUT: (ids) => ({ path: `${at}/messages/${ids.messageId}`, body: text }),
        PATCH: (ids) => ({ path: `${at}/members/${ids.userId}`, body: { role: 'admin' } }),
        DELETE: (ids) => ({ path: `${at}/members/${ids.userId}` }),
      };
      for (const key of ['send (image)', 'send (file)', 'edit', 'edit (change alone)', 'delete']) {
        await both(key, (ids) => probeFrame(socket, FRAMES[key]!(ids), ids));
      }
      for (const [method, callOf] of Object.entries(calls)) {
        await both(method, (ids) => probeCall(user, { method, ...callOf(ids) }, ids));
      }
      await removeFrom(user, own, user);
    }
    expect(found.slice(0, 5)).toEqual([]);
  });

  it('is told nothing by all that, leaves nothing behind, and nobody inside notices', async () => {
    for (const { user, socket } of Object.values(outsiders)) {
      const isFormer = user === outsiders['a removed member']!.user;
      const heard = JSON.stringify(socket.frames);
      const words = Object.keys(worlds).filter((where) => heard.includes(secretOf(where)));
      expect(words).toEqual(isFormer ? ['the group, before the removal'] : []);
      const told = socket.frames.filter(
        (f) =>
          f['conversationId'] === groupId && !['error', 'sent'].includes(f.type) && !f['hidden'],
      );
      // the answer about a change of one's own may come behind the removal, and shows one's own words
      for (const f of socket.frames.filter((one) => one['hidden'])) {
        expect(f).toMatchObject({ type: 'changed', senderId: user.id });
      }
      expect(told.length > 0).toBe(isFormer);
      if (isFormer) expect(told.at(-1)).toMatchObject({ change: { kind: 'removed' } });
    }
    expect(await state()).toEqual(before);
    const entries = (before as { histories: Message[][] }).histories[0]!;
    const highest = entries.flatMap((m) => [m.position, m.version]).reduce(maxPosition);
    const { messageId } = await say(a, groupId, 'still here');
    const pushed = await b.find((f) => f.type === 'message' && f['messageId'] === messageId);
    // the chain of the log: no record came between
    expect(pushed['previous']).toBe(highest);
    for (const { frames } of [a, b]) {
      const noise = frames.filter((f) => f.type === 'receipt' || f.type === 'typing');
      expect(noise).toEqual([]);
    }
  });
});
