import { setTimeout as pause } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import {
  BLOCK_TABLE,
  type BlockAct,
  type BlockEffect,
  type BlockSide,
} from '@tidings/protocol/blocks';
import type { SyncedBody } from '@tidings/protocol/frames';
import type {
  Contact,
  Conversation,
  Member,
  Page,
  Presence,
  Receipt,
  User,
} from '@tidings/protocol/http';
import type { Trace } from '@tidings/protocol/trace';
import type { Stack } from '../../tools/stack/stack';
import { type Answer, ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { addTo, change, makeGroup, postGroup, removeFrom, sendAndWait } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';
import { smallPng, upload } from '../support/uploads';

/** Nobody of a block: neither the one nor the other. */
type Side = BlockSide | 'third';

/** Two people; what they said to each other, directly and in a group of the actor's, is older than the block. */
interface Pair {
  side: Side;
  actor: ChatUser;
  other: ChatUser;
  /** The direct conversation of the two, and the group. */
  direct: string;
  group: string;
  a: TestSocket;
  o: TestSocket;
  /** In `direct` and in `group`: the actor's message, and the other's. */
  mine: Record<'direct' | 'group', Said>;
  theirs: Record<'direct' | 'group', Said>;
  /** The actor's image in `direct`, the other's. */
  image: string;
}

interface Said {
  conversationId: string;
  messageId: string;
  position: string;
}

type Place = 'direct' | 'group';
/** How the other one came to hear of an act; throws when that did not happen. */
type Drive = (pair: Pair) => Promise<BlockEffect>;

/** The documented grace of what gateways remember, milliseconds. */
const GRACE_MS = 1_000;
const SIDES: readonly Side[] = ['blocked', 'blocker', 'third'];
const ACTS = Object.keys(BLOCK_TABLE) as BlockAct[];

describe('what a block does, act by act', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  /** Somebody whom the other one blocks where the actor is no side of the block. */
  let stranger: ChatUser;
  const sockets: TestSocket[] = [];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    stranger = await create(0);
  }, 240_000);
  afterAll(() => stop?.());
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.cut();
  });

  const create = (at: number) => ChatUser.create(stack.gatewayUrls, { at });
  const connect = async (user: ChatUser, gateway: string): Promise<TestSocket> => {
    const socket = await user.connect(gateway);
    sockets.push(socket);
    return socket;
  };
  const expectOk = async (call: Promise<Answer<unknown>>): Promise<void> => {
    const { status, body } = await call;
    if (status >= 300) throw new Error(JSON.stringify(body));
  };
  const send = async (
    socket: TestSocket,
    conversationId: string,
    content: object = { kind: 'text', text: `hello ${uuidv7()}` },
    extra: object = {},
  ): Promise<Frame> =>
    sendAndWait(socket, { type: 'send', messageId: uuidv7(), conversationId, content, ...extra });
  const said = async (socket: TestSocket, conversationId: string): Promise<Said> =>
    (await send(socket, conversationId)) as unknown as Said;

  /** Two people of whom one blocks the other, as the side of the actor says. */
  async function pair(side: Side): Promise<Pair> {
    const [actor, other] = [await create(0), await create(1)];
    const direct = (await actor.direct(other)).id;
    const group = await makeGroup(actor, [other]);
    const [a, o] = [await connect(actor, 'gateway-1'), await connect(other, 'gateway-2')];
    const mine = { direct: await said(a, direct), group: await said(a, group) };
    const theirs = { direct: await said(o, direct), group: await said(o, group) };
    const image = (await upload(actor, direct, await smallPng())).body.mediaId;
    await expectOk(block(side, actor, other));
    await graceOver(side, actor, other, direct);
    return { side, actor, other, direct, group, a, o, mine, theirs, image };
  }

  function block(side: Side, actor: ChatUser, other: ChatUser): Promise<Answer<unknown>> {
    const [by, of] = side === 'blocker' ? [actor, other] : [other, actor];
    return by.http('PUT', `/v1/blocks/${side === 'third' ? stranger.id : of.id}`);
  }

  /** Gateways may go by what they knew for a second: then nobody is asked what it is like. */
  async function graceOver(side: Side, actor: ChatUser, other: ChatUser, direct: string) {
    if (side === 'third') return;
    await pause(GRACE_MS);
    const blocked = side === 'blocked' ? actor : other;
    await eventually(async () => {
      for (const base of stack.gatewayUrls) {
        const path = `/v1/conversations/${direct}/messages/${uuidv7()}`;
        const body = { content: { kind: 'text', text: 'may I?' } };
        expect((await blocked.http('PUT', path, body, { base })).status).toBe(403);
      }
    });
  }

  /** The effect as answers and the other's socket show it: `blocked`, or what the other one is pushed. */
  async function pushed(
    { o }: Pair,
    answer: { status?: number; type?: string; code?: unknown; body?: unknown },
    isAbout: (frame: Frame) => boolean,
  ): Promise<BlockEffect> {
    const code = answer.code ?? (answer.body as { code?: string } | undefined)?.code;
    if (code === 'blocked') {
      await pause(100);
      expect(o.frames.filter(isAbout)).toEqual([]);
      return 'refused';
    }
    expect(code).toBeUndefined();
    await o.find(isAbout);
    return 'passes';
  }

  /** Everything that several ways of one act came to: they must agree. */
  async function same(effects: readonly Promise<BlockEffect>[]): Promise<BlockEffect> {
    const all = new Set(await Promise.all(effects));
    expect(all.size).toBe(1);
    return [...all][0]!;
  }

  const sends =
    (place: Place): Drive =>
    async (p) => {
      const conversationId = p[place];
      const contents: [object, object][] = [
        [{ kind: 'text', text: 'hello' }, {}],
        [
          { kind: 'text', text: 'as I said' },
          { replyTo: p.theirs[place].messageId, mentions: [p.other.id] },
        ],
        // what applications make reactions of
        [
          { kind: 'custom', data: { reaction: '👍' } },
          { replyTo: p.theirs[place].messageId, meta: { of: 'reaction' } },
        ],
      ];
      if (place === 'direct') contents.push([{ kind: 'image', mediaId: p.image }, {}]);
      const overSocket = contents.map(async ([content, extra]) => {
        const messageId = uuidv7();
        const frame = { type: 'send', messageId, conversationId, content, ...extra };
        return pushed(p, await sendAndWait(p.a, frame), (f) => isMessage(f, messageId));
      });
      const overHttp = contents.map(async ([content, extra]) => {
        const messageId = uuidv7();
        const path = `/v1/conversations/${conversationId}/messages/${messageId}`;
        const answer = await p.actor.http('PUT', path, { content, ...extra });
        return pushed(p, answer, (f) => isMessage(f, messageId));
      });
      const toUser = async (): Promise<BlockEffect> => {
        const frame = textSend({ to: p.other.id }, 'to you');
        return pushed(p, await sendAndWait(p.a, frame), (f) => isMessage(f, frame.messageId));
      };
      return same([...overSocket, ...overHttp, ...(place === 'direct' ? [toUser()] : [])]);
    };

  const changes =
    (place: Place): Drive =>
    async (p) => {
      const { messageId } = p.mine[place];
      const isChange = (frame: Frame) =>
        frame.type === 'changed' && frame['messageId'] === messageId;
      const edit = await pushed(
        p,
        await change(p.a, p.mine[place], { kind: 'text', text: 'edited' }),
        isChange,
      );
      const removal = await pushed(
        p,
        await change(p.a, p.mine[place], null),
        (f) => isChange(f) && f['deleted'] === true,
      );
      return same([Promise.resolve(edit), Promise.resolve(removal)]);
    };

  const typing =
    (place: Place): Drive =>
    async (p) => {
      const of = (conversationId: string) => (f: Frame) =>
        f.type === 'typing' && f['conversationId'] === conversationId && f['userId'] === p.actor.id;
      const host = await create(0);
      // Said in turn, until the one that is to be seen has come behind the one in question, twice: each time in a
      // group where nothing was said before, so that it counts however late it comes.
      for (let round = 1; round <= 2; round++) {
        const seen = await makeGroup(host, [p.actor, p.other]);
        await eventually(async () => {
          for (const conversationId of [p[place], seen]) {
            // what was said already would be no news
            p.a.send({ type: 'typing', conversationId, active: false });
            p.a.send({ type: 'typing', conversationId, active: true });
          }
          await p.o.find(of(seen), 2_500);
        }, 40_000);
      }
      expect(p.a.of('error')).toEqual([]);
      if (p.o.frames.some(of(p[place]))) return 'passes';
      return 'unseen';
    };

  /** The actor's marks, as the other one is pushed them and can look them up. */
  const receipts =
    (place: Place): Drive =>
    async (p) => {
      const second = await p.actor.onNewDevice();
      const own = await connect(second, 'gateway-2');
      const { conversationId, position } = p.theirs[place];
      const is = (f: Frame) =>
        f.type === 'receipt' &&
        f['conversationId'] === conversationId &&
        f['userId'] === p.actor.id &&
        BigInt(f['read'] as string) >= BigInt(position);
      p.a.send({ type: 'received', conversationId, position });
      p.a.send({ type: 'read', conversationId, position });
      await own.find(is);
      const looks = async (): Promise<[delivered: string, read: string][]> => {
        const of = (list: readonly Receipt[]): [string, string] => {
          const { delivered, read } = list.find((m) => m.userId === p.actor.id)!;
          return [delivered, read];
        };
        const path = `/v1/conversations/${conversationId}`;
        const list = await p.other.http<Page<Receipt>>('GET', `${path}/receipts`);
        const members = await p.other.http<Page<Member>>('GET', `${path}/members`);
        const view = await p.other.http<Conversation>('GET', path);
        const views = await p.other.http<Page<Conversation>>('GET', '/v1/conversations');
        const listed = views.body.items.find((item) => item.id === conversationId)!;
        const body = { conversations: [{ conversationId, position: '0' }] };
        const synced = await p.other.http<SyncedBody>('POST', '/v1/sync', body);
        const entries = synced.body.conversations;
        return [
          of(list.body.items),
          of(members.body.items),
          of(view.body.members!),
          of(listed.members!),
          of(entries.at(-1)!.receipts!),
        ];
      };
      const { messageId } = p.theirs[place];
      const trace = async (): Promise<Trace> =>
        (
          await p.other.http<Trace>(
            'GET',
            `/v1/conversations/${conversationId}/messages/${messageId}/trace`,
          )
        ).body;
      if (expectedOf(`${place}.receipts`, p.side) === 'unseen') {
        await pause(500);
        expect(p.o.of('receipt').filter((f) => f['userId'] === p.actor.id)).toEqual([]);
        for (const marks of await looks()) expect(marks).toEqual(['0', '0']);
        expect(await trace()).toMatchObject({ recipients: 1, delivered: [], read: [] });
        return 'unseen';
      }
      await p.o.find(is);
      await eventually(async () => {
        for (const marks of await looks()) expect(marks).toEqual([position, position]);
        const { delivered, read } = await trace();
        expect([delivered, read].map((l) => l.map((m) => m.userId))).toEqual([
          [p.actor.id],
          [p.actor.id],
        ]);
      });
      return 'passes';
    };

  const drives: Record<BlockAct, Drive> = {
    'direct.begin': async ({ side }) => {
      const [actor, other] = [await create(0), await create(1)];
      const o = await connect(other, 'gateway-2');
      await expectOk(block(side, actor, other));
      const body = { kind: 'direct', userIds: [other.id] };
      const fresh = { o } as Pair;
      const isNews = (f: Frame) => f.type === 'conversation' && f['senderId'] === actor.id;
      const made = await pushed(fresh, await actor.http('POST', '/v1/conversations', body), isNews);
      const a = await connect(actor, 'gateway-1');
      const frame = textSend({ to: other.id }, 'hello');
      const toUser = await pushed(fresh, await sendAndWait(a, frame), (f) =>
        isMessage(f, frame.messageId),
      );
      return same([Promise.resolve(made), Promise.resolve(toUser)]);
    },
    'direct.send': sends('direct'),
    'direct.change': changes('direct'),
    'direct.upload': async (p) => {
      const { status, body } = await upload(p.actor, p.direct, await smallPng());
      if (status === 201) return 'passes';
      expect([status, body.code]).toEqual([403, 'blocked']);
      return 'refused';
    },
    'direct.lifetime': async (p) => {
      const listed = async () => {
        const path = '/v1/conversations';
        const { body } = await p.other.http<Page<Conversation>>('GET', path);
        return body.items.map(({ id, unread, lastPosition, messageTtlSeconds }) => {
          return { id, unread, lastPosition, messageTtlSeconds };
        });
      };
      const before = await listed();
      const body = { messageTtlSeconds: 3600 };
      const answer = await p.actor.http('PATCH', `/v1/conversations/${p.direct}`, body);
      const effect = await pushed(
        p,
        answer,
        (f) => f.type === 'conversation' && f['conversationId'] === p.direct && isChange(f, 'ttl'),
      );
      // It neither lifts the chat in the other's list nor leaves anything to be received.
      if (effect === 'refused') expect(await listed()).toEqual(before);
      return effect;
    },
    'direct.typing': typing('direct'),
    'direct.receipts': receipts('direct'),
    'direct.look': async (p) => {
      const found = await p.actor.direct(p.other);
      expect(found.id).toBe(p.direct);
      const history = (await p.actor.history(p.direct)).map((m) => m.messageId);
      expect(history).toEqual(expect.arrayContaining([p.theirs.direct.messageId]));
      const list = await p.actor.http<Page<Conversation>>('GET', '/v1/conversations');
      expect(list.body.items.map((item) => item.id)).toContain(p.direct);
      return 'passes';
    },
    'group.create': async (p) =>
      pushed(
        p,
        await postGroup(p.actor, [p.other.id]),
        (f) =>
          f.type === 'conversation' && isChange(f, 'created') && f['conversationId'] !== p.group,
      ),
    'group.add': async (p) => {
      const group = await makeGroup(p.actor, [stranger]);
      return pushed(
        p,
        await addTo(p.actor, group, p.other),
        (f) => f.type === 'conversation' && f['conversationId'] === group,
      );
    },
    'group.manage': async (p) => {
      const path = `/v1/conversations/${p.group}`;
      const about = (kind: string) => (f: Frame) =>
        f.type === 'conversation' && f['conversationId'] === p.group && isChange(f, kind);
      const patch = { title: 'Another', messageTtlSeconds: 3600 };
      const role = { role: 'admin' };
      const steps = [
        await pushed(p, await p.actor.http('PATCH', path, patch), about('ttl')),
        await pushed(
          p,
          await p.actor.http('PATCH', `${path}/members/${p.other.id}`, role),
          about('role'),
        ),
        await pushed(p, await removeFrom(p.actor, p.group, p.other), about('removed')),
      ];
      return same(steps.map((step) => Promise.resolve(step)));
    },
    'group.send': sends('group'),
    'group.change': changes('group'),
    'group.typing': typing('group'),
    'group.receipts': receipts('group'),
    contact: async (p) => {
      const second = await connect(await p.actor.onNewDevice(), 'gateway-2');
      const incoming = async () =>
        (await p.other.http<Page<User>>('GET', '/v1/contacts/incoming')).body.items.some(
          (user) => user.id === p.actor.id,
        );
      const path = `/v1/contacts/${p.other.id}`;
      const shown: boolean[] = [];
      for (let round = 1; round <= 2; round++) {
        const added = await p.actor.http<Contact>('PUT', path);
        // The answer is the same whatever the other one thinks of the actor.
        expect([added.status, added.body.mutual]).toEqual([200, false]);
        shown.push(await incoming());
        expect((await p.actor.http('DELETE', path)).status).toBe(204);
        shown.push(await incoming());
      }
      // The own device is told of each on the same way.
      await eventually(() => expect(second.of('account')).toHaveLength(4));
      if (expectedOf('contact', p.side) === 'unseen') {
        await pause(300);
        expect([p.o.of('account'), shown]).toEqual([[], [false, false, false, false]]);
        return 'unseen';
      }
      await eventually(() => expect(p.o.of('account')).toHaveLength(4));
      expect(shown).toEqual([true, false, true, false]);
      return 'passes';
    },
    presence: async (p) => {
      // The actor is connected: the other one looks.
      const path = `/v1/presence?userIds=${p.actor.id}`;
      const look = async () =>
        (await p.other.http<{ items: Presence[] }>('GET', path)).body.items[0]!;
      if (expectedOf('presence', p.side) === 'unseen') {
        await pause(500);
        const nothing = { status: 'offline', lastSeenAt: null, activeAt: null };
        expect(await look()).toEqual({
          userId: p.actor.id,
          ...nothing,
          version: expect.any(Number) as number,
        });
        return 'unseen';
      }
      await eventually(async () => expect(await look()).toMatchObject({ status: 'online' }));
      return 'passes';
    },
    profile: async (p) => {
      const one = await p.actor.http<User>('GET', `/v1/users/${p.other.id}`);
      const query = p.other.username;
      const found = await p.actor.http<Page<User>>('GET', `/v1/users?query=${query}`);
      expect(found.body.items).toContainEqual(one.body);
      return 'passes';
    },
  };

  const rows = ACTS.flatMap((act) => SIDES.map((side) => [act, side] as const));
  it.each(rows)('%s by the %s one', async (act, side) => {
    const effect = await drives[act](await pair(side));
    expect(effect).toBe(expectedOf(act, side));
  });
});

function expectedOf(act: BlockAct, side: Side): BlockEffect {
  return side === 'third' ? 'passes' : BLOCK_TABLE[act][side];
}

function isMessage(frame: Frame, messageId: string): boolean {
  return frame.type === 'message' && frame['messageId'] === messageId;
}

function isChange(frame: Frame, kind: string): boolean {
  return (frame['change'] as { kind?: string } | undefined)?.kind === kind;
}
