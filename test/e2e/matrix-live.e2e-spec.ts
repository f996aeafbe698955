import { createHash } from 'node:crypto';
import { uuidv7 } from 'uuidv7';
import { digestText } from '@tidings/protocol/digest';
import type { Message } from '@tidings/protocol/content';
import type { SyncedBody } from '@tidings/protocol/frames';
import type { Conversation, HistoryPage, MediaUrlAnswer } from '@tidings/protocol/http';
import { comparePositions } from '@tidings/protocol/positions';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { unknownIds } from '../support/named-ids';
import { FRAMES } from '../support/outsider-tables';
import { probeCall, probeFrame } from '../support/probe';
import { addTo, bustle, change, makeGroup, removeFrom, say, sendAndWait } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';
import { smallPng, upload } from '../support/uploads';

const GRACE_MS = 1_000;

/** What reaches members of the past and of the future, live and after a restart with cold caches. */
describe('who is in a conversation for a part of it', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let a: TestSocket;
  let b: TestSocket;
  /** Users who are nowhere yet, made before services are restarted. */
  let newcomers: ChatUser[];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    const make = (at: number): Promise<ChatUser> => ChatUser.create(stack.gatewayUrls, { at });
    [ann, bob] = [await make(0), await make(1)];
    newcomers = await Promise.all([0, 1, 0, 1, 0].map(make));
    a = await ann.connect('gateway-1');
    b = await bob.connect('gateway-2');
  }, 240_000);
  afterAll(() => stop?.());

  const newcomer = (): ChatUser => newcomers.pop()!;
  /** Asks again while a restarted service is not back. */
  const patiently = <T>(ask: () => Promise<T>): Promise<T> => eventually(ask, 30_000, 200);
  const text = (words: string) => ({ kind: 'text', text: words });
  const about = (socket: TestSocket, id: string): Frame[] =>
    socket.frames.filter((f) => f['conversationId'] === id && f.type !== 'error');
  const digestOf = (messages: readonly Message[]): string =>
    createHash('sha256')
      .update(digestText(messages.slice(-10)))
      .digest('base64url');
  const sync = (user: ChatUser, body: object): Promise<SyncedBody> =>
    patiently(async () => {
      const answer = await user.http<SyncedBody>('POST', '/v1/sync', body);
      expect([answer.status, answer.body.complete]).toEqual([200, true]);
      return answer.body;
    });

  /** Ann says something elsewhere: what went before it on the way to these sockets has come. */
  async function passed(user: ChatUser, ...sockets: TestSocket[]): Promise<void> {
    const { id } = await patiently(() => ann.direct(user));
    const marker = await say(a, id, 'elsewhere');
    for (const socket of sockets) {
      await socket.find((f) => f.type === 'message' && f['messageId'] === marker['messageId']);
    }
  }

  it('a removal is the last that a removed member hears, on all devices and after a restart', async () => {
    const carol = newcomer();
    const laptop = await carol.onNewDevice(1);
    const sockets = [await carol.connect('gateway-1'), await laptop.connect('gateway-2')];
    const id = await makeGroup(ann, [bob, carol]);
    const [old, older] = [await say(a, id, 'old'), await say(a, id, 'older')];
    const since = (await sync(carol, {})).since!;
    const removed = await removeFrom(ann, id, carol);
    expect(removed.status).toBe(204);
    const removedAt = performance.now();
    await bustle({ ann, a, b }, old);
    await passed(carol, ...sockets);
    // session and storage forget what they know
    await Promise.all([stack.node('session-1').restart(), stack.node('storage-1').restart()]);
    await bustle({ ann, a, b }, older);
    await passed(carol, ...sockets);
    for (const socket of sockets) {
      const heard = about(socket, id);
      const removal = heard.at(-1)!;
      expect(removal).toMatchObject({ type: 'conversation', change: { kind: 'removed' } });
      for (const frame of heard.slice(0, -1)) {
        const at = [frame['position'], frame['version'], frame['upTo']].map((p) => String(p ?? 0));
        for (const p of at) {
          expect(comparePositions(p, removal['position'] as string)).toBeLessThan(0);
        }
      }
      expect(JSON.stringify(socket.frames)).not.toContain('after the removal');
    }
    for (const user of [carol, laptop]) {
      const { conversations } = await sync(user, { since });
      const one = conversations.find((c) => c.conversationId === id);
      expect(one).toMatchObject({ state: 'gone', messages: [], unread: 0, receipts: [] });
      const cold = await sync(user, {});
      expect(cold.conversations.map((c) => c.conversationId)).not.toContain(id);
      expect(JSON.stringify([conversations, cold])).not.toContain('after the removal');
    }
    expect(performance.now() - removedAt).toBeGreaterThan(GRACE_MS);
    for (const socket of sockets) {
      expect(await say(socket, id, 'me too')).toMatchObject({ code: 'no_such_conversation' });
    }
    expect(JSON.stringify(await bob.history(id))).not.toContain('me too');
    await Promise.all(sockets.map((s) => s.end()));
  });

  it('what lay before joining stays invisible after a restart with cold caches', async () => {
    const dave = newcomer();
    const id = await makeGroup(ann, [bob]);
    const path = `/v1/conversations/${id}`;
    const { mediaId } = (await upload(ann, id, await smallPng())).body;
    const shown = { type: 'send', messageId: uuidv7(), conversationId: id };
    await sendAndWait(a, { ...shown, content: { kind: 'image', mediaId, caption: 'too early' } });
    const early: Frame[] = [];
    for (let i = 0; i < 12; i++) early.push(await say(a, id, `too early ${i}`));
    const early0 = early as unknown as Message[];
    const d = await dave.connect('gateway-2');
    const added = await addTo(ann, id, dave);
    const from = added.body.position!;
    await say(a, id, 'in time');
    const changeId = uuidv7();
    await change(a, early0[0]!, text('too early, edited'), changeId);
    await Promise.all(['session-1', 'storage-1'].map((node) => stack.node(node).restart()));
    await change(a, early0[1]!, text('too early, edited when caches were cold'));
    await change(a, early0[2]!, null);
    await say(a, id, 'in time, too');
    await passed(dave, d);

    const heard = about(d, id).filter((f) => f.type !== 'receipt');
    expect(heard.map((f) => f.type)).toEqual(['conversation', 'message', 'message']);
    const history = await patiently(() => dave.history(id));
    expect(history.map((m) => m.position)).toEqual(heard.map((f) => f['position']));
    const page = async (query: string) =>
      (await dave.http<HistoryPage>('GET', `${path}/messages?${query}`)).body;
    expect(await page(`before=${from}`)).toEqual({ items: [], more: false });
    expect((await page('after=0')).items).toEqual(history);
    expect((await page(`after=${early[0]!['position'] as string}`)).items).toEqual(history);

    for (const body of [{}, { conversations: [{ conversationId: id, position: '0' }] }]) {
      const { conversations } = await sync(dave, body);
      const one = conversations.find((c) => c.conversationId === id);
      expect(one).toMatchObject({ messages: history, more: false, unread: 2 });
      expect(one?.digest).toBe(digestOf(history));
    }
    const view = (await dave.http<Conversation>('GET', path)).body;
    expect(view).toMatchObject({ unread: 2, digest: digestOf(history) });
    expect(view.lastMessage).toEqual(history.at(-1));

    const real = { ...unknownIds(), conversationId: id, changeId, mediaId };
    const { messageId } = early0[0]!;
    for (const end of ['', '/thumbnail', '/url']) {
      const call = (ids: typeof real) => ({
        method: 'GET',
        path: `/v1/media/${ids.mediaId}${end}`,
      });
      const unknown = { ...real, mediaId: unknownIds().mediaId };
      expect(await probeCall(dave, call(real), real)).toEqual(
        await probeCall(dave, call(unknown), unknown),
      );
    }
    for (const key of ['edit', 'edit (new change)', 'edit (change alone)', 'delete']) {
      const unknown = { ...unknownIds(), conversationId: id };
      for (const ids of [
        { ...real, messageId },
        { ...real, messageId, changeId: uuidv7() },
        real,
      ]) {
        const answer = await probeFrame(d, FRAMES[key]!(ids), ids);
        expect([key, answer]).toEqual([key, await probeFrame(d, FRAMES[key]!(unknown), unknown)]);
        expect(answer).toMatchObject({ code: 'not_found' });
      }
    }
    expect(JSON.stringify([d.frames, history, view])).not.toContain('too early');
    await d.end();
  });

  it('the media of a conversation end with the membership, also where a URL was signed', async () => {
    const carol = newcomer();
    const id = await makeGroup(ann, [carol]);
    const own = (await upload(carol, id, await smallPng())).body.mediaId;
    const { mediaId } = (await upload(ann, id, await smallPng('blue'))).body;
    const c = await carol.connect('gateway-2');
    for (const [socket, shown] of [
      [a, mediaId],
      [c, own],
    ] as const) {
      const content = { kind: 'image', mediaId: shown };
      const frame = { type: 'send', messageId: uuidv7(), conversationId: id, content };
      expect((await sendAndWait(socket, frame)).type).toBe('sent');
    }
    const signed = await Promise.all(
      [mediaId, own].map(async (each) => {
        const answer = await carol.http<MediaUrlAnswer>('GET', `/v1/media/${each}/url`);
        return [answer.body.url, answer.body.thumbnailUrl!];
      }),
    );
    const urls = signed.flat().flatMap((url) =>
      stack.gatewayUrls.map((base) => {
        const { pathname, search } = new URL(url);
        return base + pathname + search;
      }),
    );
    const open = (url: string, headers: Record<string, string> = {}) =>
      fetch(url, { headers, signal: AbortSignal.timeout(45_000) });
    const first = await Promise.all(urls.map((url) => open(url)));
    const etags = await Promise.all(first.map(async (r) => (await r.arrayBuffer(), r)));
    expect(new Set(etags.map((r) => r.status))).toEqual(new Set([200]));
    expect((await removeFrom(ann, id, carol)).status).toBe(204);
    const ids = unknownIds();
    const unknown = await probeCall(
      carol,
      { method: 'GET', path: `/v1/media/${ids.mediaId}` },
      ids,
    );
    expect(unknown).toMatchObject({ status: 404, body: { code: 'media_not_found' } });
    for (const [i, url] of urls.entries()) {
      const etag = etags[i]!.headers.get('etag')!;
      const tries: [string, string][] = [
        ['if-none-match', etag],
        ['range', 'bytes=0-3'],
        ['accept', '*/*'],
      ];
      for (const header of tries) {
        const answer = await open(url, Object.fromEntries([header]));
        const body = { ...((await answer.json()) as object), requestId: undefined };
        expect([answer.status, body]).toEqual([404, unknown.body]);
        expect(answer.headers.get('cache-control')).toBe('no-store');
      }
    }
    for (const each of [mediaId, own]) {
      const named = { ...ids, mediaId: each };
      for (const method of ['GET', 'HEAD']) {
        const path = (media: string) => ({ method, path: `/v1/media/${media}` });
        expect(await probeCall(carol, path(each), named)).toEqual(
          await probeCall(carol, path(ids.mediaId), ids),
        );
      }
    }
    await c.end();
  });

  it('a blocked user reads on in the direct conversation, and writes nothing on any way', async () => {
    const [ivy, mallory] = [newcomer(), newcomer()];
    const { id } = await mallory.direct(ivy);
    const m = await mallory.connect('gateway-2');
    const mine = (await say(m, id, 'before the block')) as unknown as Message;
    const { mediaId } = (await upload(mallory, id, await smallPng())).body;
    const before = await ivy.history(id);
    expect((await ivy.http('PUT', `/v1/blocks/${mallory.id}`)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, GRACE_MS));

    const content = { kind: 'image', mediaId };
    const codes = {
      'a text': (await say(m, id, 'x'))['code'],
      'a text to the user': (
        await sendAndWait(m, { type: 'send', messageId: uuidv7(), to: ivy.id, content: text('x') })
      )['code'],
      'an image': (
        await sendAndWait(m, { type: 'send', messageId: uuidv7(), conversationId: id, content })
      )['code'],
      'an edit': (await change(m, mine, text('y')))['code'],
      'a deletion': (await change(m, mine, null))['code'],
      'an upload': (await upload(mallory, id, await smallPng())).body.code,
      'a text over HTTP': (
        await mallory.http('PUT', `/v1/conversations/${id}/messages/${uuidv7()}`, {
          content: text('x'),
        })
      ).body.code,
      'a group with the user': (
        await mallory.http('POST', '/v1/conversations', {
          kind: 'group',
          requestId: uuidv7(),
          title: 'Come',
          userIds: [ivy.id],
        })
      ).body.code,
    };
    const all = Object.keys(codes).map((what) => [what, 'blocked']);
    expect(codes).toEqual(Object.fromEntries(all));
    // what does not exist there is told as it is told to everybody
    const unknown = { conversationId: id, messageId: uuidv7() } as Message;
    expect((await change(m, unknown, null))['code']).toBe('not_found');
    const presence = (userId: string) => ({
      method: 'GET',
      path: `/v1/presence?userIds=${userId}`,
    });
    const [known, nobody] = [{ ...unknownIds(), userId: ivy.id }, unknownIds()];
    expect(await probeCall(mallory, presence(ivy.id), known)).toEqual(
      await probeCall(mallory, presence(nobody.userId), nobody),
    );
    expect(await mallory.history(id)).toEqual(before);
    expect(await ivy.history(id)).toEqual(before);
    await m.end();
  });
});
