import { randomUUID } from 'node:crypto';
import type { Message } from '@tidings/protocol/content';
import type { ChangedConversation, Conversation, Page } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { nodeClient } from '@tidings/sdk/node';
import { Client } from 'pg';
import { uuidv7 } from 'uuidv7';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Holding } from '../support/holding';
import { signalTree } from '../support/process-tree';
import { startTestStack } from '../support/test-stack';
import { answerTo, pushOf } from '../support/sends';
import type { TestSocket } from '../support/test-socket';

/** What a sender is told of a message, and what is pushed of it. */
interface Told {
  messageId: string;
  expiresAt?: string;
}

/** The documented grace after a change, and what a gateway may need to ask on a busy machine. */
const GRACE_MS = 2_000;
/** Long enough to be looked at while they live. */
const LIFE_SECONDS = 2 * LIMITS.ttlMinSeconds;
/** All content is gone this long after it has expired. */
const GONE_MS = 60_000;

let stack: Stack;
let stop: () => Promise<void>;
let sql: Client;
let ann: ChatUser;
let ann2: ChatUser;
let bob: ChatUser;
let bob2: ChatUser;

beforeAll(async () => {
  ({ stack, stop } = await startTestStack({
    // what has expired lies there for a while, and is shown to nobody
    env: { EXPIRY_SWEEP_SECONDS: '15' },
  }));
  sql = new Client({ connectionString: stack.databaseUrl });
  await sql.connect();
  ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
  bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
  ann2 = await ann.onNewDevice(1);
  bob2 = await bob.onNewDevice(1);
}, 240_000);

afterAll(async () => {
  await sql?.end();
  await stop?.();
});

const patch = (user: ChatUser, id: string, messageTtlSeconds: unknown) =>
  user.http<ChangedConversation & { code?: string }>('PATCH', `/v1/conversations/${id}`, {
    messageTtlSeconds,
  });

const get = async (user: ChatUser, id: string): Promise<Conversation> =>
  (await user.http<Conversation>('GET', `/v1/conversations/${id}`)).body;

/** A group of Ann and Bob, so that each test has one of its own. */
async function group(body: object = {}): Promise<string> {
  const made = await ann.http<Conversation>('POST', '/v1/conversations', {
    kind: 'group',
    requestId: uuidv7(),
    title: 'Brief',
    userIds: [bob.id],
    ...body,
  });
  expect(made.status).toBe(201);
  return made.body.id;
}

describe('the lifetime of messages', () => {
  it.each<[unknown, boolean]>([
    [LIMITS.ttlMinSeconds - 1, false],
    [LIMITS.ttlMinSeconds, true],
    [LIMITS.ttlMaxSeconds, true],
    [LIMITS.ttlMaxSeconds + 1, false],
    [-1, false],
    [0, false],
    [100 * LIMITS.ttlMaxSeconds, false],
    [Number.MAX_SAFE_INTEGER, false],
    ['10', false],
    [10.5, false],
    [true, false],
    [[10], false],
    [{}, false],
  ])('%j seconds: %s', async (seconds, allowed) => {
    const id = await group();
    const answer = await patch(ann, id, seconds);
    const requestId = uuidv7();
    const made = await ann.http<Conversation & { code?: string }>('POST', '/v1/conversations', {
      kind: 'group',
      requestId,
      title: 'Made so',
      userIds: [bob.id],
      messageTtlSeconds: seconds,
    });
    if (allowed) {
      expect([answer.status, answer.body.messageTtlSeconds]).toEqual([200, seconds]);
      expect([made.status, made.body.messageTtlSeconds]).toEqual([201, seconds]);
      return;
    }
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect([made.status, made.body.code]).toEqual([400, 'invalid_request']);
    expect((await get(bob, id)).messageTtlSeconds).toBeUndefined();
    expect(await ann.history(id)).toHaveLength(1);
    const { rows } = await sql.query('SELECT 1 FROM conversations WHERE request_id = $1', [
      requestId,
    ]);
    expect(rows).toEqual([]);
  });

  it('is set by either of two, switched off, and each change is an entry that all devices get in order', async () => {
    const { id } = await ann.direct(bob);
    const devices = await Promise.all(
      [ann, ann2, bob, bob2].map((user, i) => user.connect(`gateway-${(i % 2) + 1}`)),
    );
    const wanted: [ChatUser, number | null][] = [
      [bob, LIMITS.ttlMinSeconds],
      [ann, LIMITS.ttlMaxSeconds],
      [bob2, null],
    ];
    const positions: string[] = [];
    for (const [user, seconds] of wanted) {
      const { status, body } = await patch(user, id, seconds);
      expect([status, body.messageTtlSeconds ?? null]).toEqual([200, seconds]);
      positions.push(body.position!);
    }
    expect((await patch(ann, id, null)).body.position).toBeUndefined();
    for (const device of devices) {
      await device.find((f) => f.type === 'conversation' && f['position'] === positions.at(-1));
      const changes = device.of('conversation').filter((f) => f['conversationId'] === id);
      expect(changes.map((f) => [f['position'], f['senderId'], f['change']])).toEqual(
        wanted.map(([user, messageTtlSeconds], i) => [
          positions[i],
          user.id,
          { kind: 'ttl', messageTtlSeconds },
        ]),
      );
      await device.end();
    }
    expect((await bob.history(id)).slice(-3).map((m) => m.position)).toEqual(positions);
    expect((await get(ann, id)).messageTtlSeconds).toBeUndefined();
  });

  it('is stamped on every send through every gateway, at the latest a moment after its change', async () => {
    const { id } = await ann.direct(bob);
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const put = (user: ChatUser, messageId: string) =>
      user.http<Told>('PUT', `/v1/conversations/${id}/messages/${messageId}`, {
        content: { kind: 'text', text: 'by HTTP' },
      });
    const told = new Map<string, (string | undefined)[]>();
    const tell = ({ messageId, expiresAt }: Told): void => {
      told.set(messageId, [...(told.get(messageId) ?? []), expiresAt]);
    };
    const send = async (socket: TestSocket, frame: ReturnType<typeof textSend>): Promise<void> => {
      const answer = await answerTo(socket, frame);
      expect(answer.type).toBe('sent');
      tell(answer as unknown as Told);
    };
    const everyWay = async (): Promise<string[]> => {
      const frames = [
        textSend({ conversationId: id }, 'by id'),
        textSend({ to: bob.id }, 'by user'),
        { ...textSend({ conversationId: id }, 'perhaps again'), retry: true },
        textSend({ conversationId: id }, 'an id without a time', randomUUID()),
      ];
      for (const frame of frames) await send(a, frame);
      // again: from the gateway's memory, and from storage's
      await send(a, frames[0]!);
      await send(a, { ...frames[1]!, retry: true });
      const other = textSend({ conversationId: id }, 'from the other gateway');
      await send(b, other);
      const putId = uuidv7();
      const answer = await put(bob, putId);
      expect(answer.status).toBe(200);
      tell(answer.body);
      return [...frames.map((f) => f.messageId), other.messageId, putId];
    };
    const lives = async (ids: readonly string[], after: number) => {
      const frames = await Promise.all(ids.map((messageId) => pushOf(b, messageId)));
      for (const { messageId, expiresAt } of frames as unknown as Told[]) {
        expect(new Set(told.get(messageId))).toEqual(new Set([expiresAt]));
      }
      const late = frames.filter((f) => Date.parse(f['sentAt'] as string) > after + GRACE_MS);
      expect(late.length).toBeGreaterThan(0);
      return new Set(
        late.map(({ sentAt, expiresAt }) =>
          expiresAt === undefined
            ? null
            : Date.parse(expiresAt as string) - Date.parse(sentAt as string),
        ),
      );
    };
    await everyWay();
    for (const seconds of [LIMITS.ttlMaxSeconds, 3_600, null]) {
      expect((await patch(bob, id, seconds)).status).toBe(200);
      const answeredAt = Date.now();
      const ids: string[] = [];
      while (Date.now() < answeredAt + GRACE_MS) ids.push(...(await everyWay()));
      ids.push(...(await everyWay()));
      expect(await lives(ids, answeredAt)).toEqual(new Set([seconds && seconds * 1_000]));
    }
    await Promise.all([a.end(), b.end()]);
  });
});

describe('when messages expire', () => {
  it('history, list, unread, sync, digests and a new device agree, and only their ids are left', async () => {
    const id = await group({ messageTtlSeconds: LIFE_SECONDS });
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const view = new Holding();
    b.onFrame = (frame) => view.take(frame);
    await view.sync(b);
    const frames = Array.from({ length: 3 }, (_, n) => textSend({ conversationId: id }, `${n}`));
    const places: unknown[] = [];
    for (const frame of frames) places.push((await answerTo(a, frame))['position']);
    const edit = {
      type: 'edit',
      changeId: uuidv7(),
      conversationId: id,
      messageId: frames[0]!.messageId,
      content: { kind: 'text', text: 'edited' },
    };
    a.send(edit);
    const changed = await b.find((f) => f.type === 'changed' && f['changeId'] === edit.changeId);
    const first = await pushOf(b, edit.messageId);
    expect([changed['expiresAt'], changed['sentAt']]).toEqual([
      first['expiresAt'],
      first['sentAt'],
    ]);
    const expiresAt = Math.max(
      ...(await Promise.all(frames.map((f) => pushOf(b, f.messageId)))).map((f) =>
        Date.parse(f['expiresAt'] as string),
      ),
    );

    const users = [ann, ann2, bob, bob2];
    /** What each device is told, over HTTP and as a new device by sync. */
    const told = async (user: ChatUser) => {
      const listed = (await user.http<Page<Conversation>>('GET', '/v1/conversations')).body.items;
      const one = listed.find((c) => c.id === id)!;
      const { body } = await user.http<{ conversations: SyncedEntry[] }>('POST', '/v1/sync', {
        conversations: [{ conversationId: id, position: '0' }],
      });
      const entry = body.conversations[0]!;
      return {
        ids: (await user.history(id)).map((m) => m.messageId),
        synced: entry.messages.map((m) => m.messageId),
        last: one.lastMessage!.messageId,
        digests: new Set([one.digest, entry.digest]).size,
        digest: one.digest,
        unread: [one.unread, entry.unread],
      };
    };
    await eventually(async () => expect(await ann.history(id)).toHaveLength(4));
    await eventually(() => expect(Date.now()).toBeGreaterThan(expiresAt), LIFE_SECONDS * 2_000);
    const history = await ann.history(id);
    expect(history.map((m) => m.content.kind)).toEqual(['event']);
    const [created] = history;
    const wanted = { ids: [created!.messageId], synced: [created!.messageId] };
    const digests = new Set<string>();
    for (const user of users) {
      const seen = await told(user);
      expect(seen).toMatchObject({ ...wanted, last: created!.messageId, digests: 1 });
      expect(seen.unread).toEqual([0, 0]);
      digests.add(seen.digest);
    }
    expect(digests.size).toBe(1);

    const tellAgain = async () => {
      const again = await answerTo(a, { ...frames[1]!, retry: true });
      expect([again.type, again['position']]).toEqual(['sent', places[1]]);
      const other = textSend({ conversationId: id }, 'other words', frames[1]!.messageId);
      const renewed = await answerTo(a, { ...other, retry: true });
      expect([renewed.type, renewed['position']]).toEqual(['sent', places[1]]);
      expect(await answerTo(b, { ...frames[1]!, retry: true })).toMatchObject({
        code: 'message_id_conflict',
      });
      for (const type of ['edit', 'delete']) {
        const changeId = uuidv7();
        const { content, ...rest } = edit;
        a.send({ ...rest, type, changeId, ...(type === 'edit' && { content }) });
        const refused = await a.find((f) => f.type === 'error' && f['ref'] === changeId);
        expect(refused['code']).toBe('not_found');
      }
    };
    await tellAgain();
    await eventually(async () => {
      const { rows } = await sql.query<{ content: string | null }>(
        `SELECT content, extras, content_hash FROM messages
         WHERE conversation_id = $1 AND kind <> 'event' ORDER BY position`,
        [id],
      );
      const empty = { content: null, extras: null, content_hash: null };
      expect(rows).toEqual([empty, empty, empty]);
    }, GONE_MS);
    await tellAgain();
    for (const user of users) {
      expect(await told(user)).toMatchObject({ ...wanted, digest: [...digests][0] });
    }
    // Whoever holds them all finds no gap, and what comes next follows.
    const next = textSend({ conversationId: id }, 'next');
    await answerTo(a, next);
    await pushOf(b, next.messageId);
    expect(view.held(id).aside).toEqual([]);
    await Promise.all([a.end(), b.end()]);
  });
});

describe('what waited in the inbox of a gateway until it was over', () => {
  it('is pushed to nobody, and is no gap that stays', async () => {
    const id = await group({ messageTtlSeconds: LIMITS.ttlMinSeconds });
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const view = new Holding();
    b.onFrame = (frame) => view.take(frame);
    await view.sync(b);
    const mortal = textSend({ conversationId: id }, 'for a moment');
    const hung = stack.node('gateway-2').pid;
    signalTree(hung, 'SIGSTOP');
    try {
      const { type, expiresAt } = await answerTo(a, mortal);
      expect(type).toBe('sent');
      // session has put it into both inboxes: its sender is shown it
      await pushOf(a, mortal.messageId);
      const end = Date.parse(expiresAt as string);
      await eventually(() => expect(Date.now()).toBeGreaterThan(end), LIFE_SECONDS * 1_000);
    } finally {
      signalTree(hung, 'SIGCONT');
    }
    await patch(ann, id, null);
    const next = textSend({ conversationId: id }, 'next');
    await answerTo(a, next);
    // A gateway that hung for so long that it lost its place says so instead.
    await b.find((f) => f['messageId'] === next.messageId || f.type === 'resync');
    expect(b.of('message').map((f) => f['messageId'])).not.toContain(mortal.messageId);
    await view.sync(b);
    expect(view.held(id).aside).toEqual([]);
    expect(view.ordered(id).at(-1)!.messageId).toBe(next.messageId);
    expect(view.ordered(id).map((m) => m.messageId)).not.toContain(mortal.messageId);
    await Promise.all([a.end(), b.end()]);
  });
});

describe('an own message whose push does not come', () => {
  it('leaves the device that sent it by the end that its acknowledgement names', async () => {
    const id = await group({ messageTtlSeconds: LIFE_SECONDS });
    const client = nodeClient({ servers: stack.gatewayUrls });
    const held = () => client.messages(id).map((m) => m.messageId);
    const session = stack.node('session-1').pid;
    try {
      await client.login({ username: ann.username, password: ChatUser.PASSWORD });
      await client.start();
      await client.whenSynced();
      expect(held()).toHaveLength(1);
      const other = await ann2.connect('gateway-2');
      signalTree(session, 'SIGSTOP');
      const outgoing = client.send({ conversationId: id, text: 'for a moment' });
      expect(await outgoing.settled()).toMatchObject({ state: 'sent' });
      const own = client.messages(id).find((m) => m.messageId === outgoing.messageId)!;
      expect(Date.parse(own.expiresAt!) - Date.parse(own.sentAt)).toBe(LIFE_SECONDS * 1_000);
      await eventually(() => expect(held()).not.toContain(own.messageId), LIFE_SECONDS * 2_000);
      expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(own.expiresAt!) - GRACE_MS);
      expect(held()).toHaveLength(1);
      signalTree(session, 'SIGCONT');
      // what came behind it is pushed; of what is over nothing is, then or later
      const next = client.send({ conversationId: id, text: 'next' });
      await other.find((f) => f['messageId'] === next.messageId, 30_000);
      expect(other.of('message').map((f) => f['messageId'])).toEqual([next.messageId]);
      expect(held()).not.toContain(own.messageId);
      await other.end();
    } finally {
      signalTree(session, 'SIGCONT');
      await client.stop();
    }
  });
});

interface SyncedEntry {
  messages: Message[];
  digest: string;
  unread: number;
}
