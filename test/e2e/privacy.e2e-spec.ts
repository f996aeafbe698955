import { setTimeout as pause } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import type { Me, Page, Presence, User } from '@tidings/protocol/http';
import { PRIVACY_TABLE, seesPresence, type PresenceSide } from '@tidings/protocol/privacy';
import type { Stack } from '../../tools/stack/stack';
import { type Answer, ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { metricOf } from '../support/service-report';
import { addTo, makeGroup, postGroup, removeFrom, say, sendAndWait } from '../support/talk';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';

/** What gateways remember of a pair, milliseconds. */
const GRACE_MS = 1_000;
/** A change holds everywhere after this time, milliseconds. */
const WITHIN_MS = 2_000;
const EITHER = [false, true];
/** All that one of a pair may have set towards the other one. */
const SIDES: PresenceSide[] = (
  Object.keys(PRIVACY_TABLE.lastSeen) as PresenceSide['lastSeen'][]
).flatMap((lastSeen) =>
  EITHER.flatMap((hasOther) => EITHER.map((blocksOther) => ({ lastSeen, hasOther, blocksOther }))),
);
const nameOf = ({ lastSeen, hasOther, blocksOther }: PresenceSide): string =>
  `${lastSeen}${hasOther ? ', has the other' : ''}${blocksOther ? ', blocks the other' : ''}`;

describe('privacy', () => {
  let stack: Stack;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
  }, 240_000);
  afterAll(() => stop?.());

  const create = (at = 0) => ChatUser.create(stack.gatewayUrls, { at });
  const done = async (call: Promise<Answer<unknown>>): Promise<void> => {
    const { status, body } = await call;
    if (status >= 300) throw new Error(JSON.stringify(body));
  };
  const setPrivacy = (user: ChatUser, privacy: Partial<Me['privacy']>) =>
    done(user.http('PATCH', '/v1/me', { privacy }));
  const setContact = (user: ChatUser, other: ChatUser, has: boolean) =>
    done(user.http(has ? 'PUT' : 'DELETE', `/v1/contacts/${other.id}`));
  const setBlock = (user: ChatUser, other: ChatUser, blocks: boolean) =>
    done(user.http(blocks ? 'PUT' : 'DELETE', `/v1/blocks/${other.id}`));
  const codeOf = async (call: Promise<Answer<{ code?: string }>>): Promise<string> => {
    const { status, body } = await call;
    return body?.code ?? (status < 300 ? 'ok' : String(status));
  };

  /** Somebody who looks, somebody who is here, somebody who was. */
  interface Scene {
    viewer: ChatUser;
    socket: TestSocket;
    here: ChatUser;
    away: ChatUser;
    /** The viewer's direct conversations with the two. */
    toHere: string;
    toAway: string;
  }

  describe('of presence, side by side', () => {
    const scenes: Scene[] = [];

    beforeAll(async () => {
      for (const viewer of await Promise.all(SIDES.map(() => create(0)))) {
        const [here, away] = await Promise.all([create(1), create(1)]);
        const [h, socket] = [await here.connect('gateway-2'), await viewer.connect('gateway-1')];
        const left = await away.connect('gateway-2');
        await left.end();
        const [toHere, toAway] = [(await viewer.direct(here)).id, (await viewer.direct(away)).id];
        socket.send({ type: 'watch', ref: 'w', userIds: [here.id, away.id] });
        scenes.push({ viewer, socket, here, away, toHere, toAway });
        expect(h.closed).toBe(null);
      }
    });
    afterAll(() => scenes.forEach(({ socket }) => socket.cut()));

    /** There is no figure before the first one. */
    const keptBack = () =>
      metricOf(stack.node('gateway-1').url, 'presence_frames_kept_back_total').catch(() => 0);
    const look = async ({ viewer, here, away }: Scene, base?: string): Promise<Presence[]> => {
      const path = `/v1/presence?userIds=${here.id},${away.id}`;
      const answer = await viewer.http<{ items: Presence[] }>('GET', path, undefined, { base });
      expect(answer.status).toBe(200);
      return answer.body.items;
    };
    /** Whether somebody is shown as here, and as ever seen. */
    const asShown = ({ status, lastSeenAt }: Pick<Presence, 'status' | 'lastSeenAt'>) => [
      status === 'offline' ? 'offline' : 'here',
      lastSeenAt !== null,
    ];
    /** What the frames of `watch` come to: of two words about a user the one with the higher version counts. */
    const watched = ({ socket, here, away }: Scene) =>
      [here, away].map(({ id }) => {
        const words = socket.of('presence').filter((f) => f['userId'] === id);
        const last = words.reduce<Frame | null>(
          (a, b) => (a && Number(a['version']) >= Number(b['version']) ? a : b),
          null,
        );
        return last && asShown(last as unknown as Presence);
      });
    const setSide = async (user: ChatUser, other: ChatUser, side: PresenceSide): Promise<void> => {
      await setPrivacy(user, { lastSeen: side.lastSeen });
      await setContact(user, other, side.hasOther);
      await setBlock(user, other, side.blocksOther);
    };

    it.each(SIDES.map((side) => [nameOf(side), side] as const))(
      'lastSeen × lastSeen × contact × block, over GET, watch and pending; the one who is looked at: %s',
      async (_name, other) => {
        const before = await keptBack();
        const hidden = await Promise.all(
          scenes.map(async (scene, n) => {
            const { viewer, socket, here, away, toHere, toAway } = scene;
            const mine = SIDES[n]!;
            for (const user of [here, away]) {
              await setSide(user, viewer, other);
              await setSide(viewer, user, mine);
            }
            const sees = seesPresence(mine, other);
            const expected = [
              [sees ? 'here' : 'offline', sees],
              ['offline', sees],
            ];
            const changedAt = performance.now();
            for (const base of stack.gatewayUrls) {
              // at once: nobody remembers what was
              const shown = (await look(scene, base)).map(asShown);
              expect([nameOf(mine), shown]).toEqual([nameOf(mine), expected]);
            }
            await eventually(
              () => expect([nameOf(mine), watched(scene)]).toEqual([nameOf(mine), expected]),
              WITHIN_MS - (performance.now() - changedAt),
            );
            await pause(GRACE_MS);
            const words = [await say(socket, toHere, 'here?'), await say(socket, toAway, 'there?')];
            if (other.blocksOther) {
              expect(words.map((frame) => frame['code'])).toEqual(['blocked', 'blocked']);
              return false;
            }
            const messageId = words[1]!['messageId'];
            const isPending = (frame: { type: string }): boolean => frame.type === 'pending';
            if (sees) await socket.find((f) => isPending(f) && f['messageId'] === messageId);
            return { socket, words: words.map((frame) => frame['messageId']), sees };
          }),
        );
        const told = hidden.filter((one) => one !== false);
        const unseen = told.filter(({ sees }) => !sees).length;
        // each pending that was not shown has been judged: none can come any more
        await eventually(async () => expect((await keptBack()) - before).toBe(unseen));
        for (const { socket, words, sees } of told) {
          const pending = socket.of('pending').filter((f) => words.includes(f['messageId']));
          expect(pending.map((f) => f['messageId'])).toEqual(sees ? [words[1]] : []);
        }
      },
    );

    it('hides those who do not exist as those who hide', async () => {
      const { viewer, here } = scenes[0]!;
      await setPrivacy(here, { lastSeen: 'nobody' });
      const nobody = uuidv7();
      const path = `/v1/presence?userIds=${here.id},${nobody},${viewer.id}`;
      const { items } = (await viewer.http<{ items: Presence[] }>('GET', path)).body;
      const nothing = { status: 'offline', lastSeenAt: null, activeAt: null };
      const [hidden, unknown] = [items[0]!, items[1]!];
      expect([hidden, unknown]).toMatchObject([nothing, nothing]);
      expect(Object.keys(hidden)).toEqual(Object.keys(unknown));
      // oneself one sees, whatever is set
      await setPrivacy(viewer, { lastSeen: 'nobody' });
      const own = (await viewer.http<{ items: Presence[] }>('GET', path)).body.items[2]!;
      expect(own.status).not.toBe('offline');
    });
  });

  describe('messages: contacts', () => {
    const begin = (from: ChatUser, to: ChatUser) =>
      from.http('POST', '/v1/conversations', { kind: 'direct', userIds: [to.id] });

    it('refuses who is no contact, over HTTP and sockets, until the owner has them', async () => {
      const [owner, stranger] = [await create(), await create(1)];
      await setPrivacy(owner, { messages: 'contacts' });
      await setContact(stranger, owner, true);
      const socket = await stranger.connect('gateway-2');
      const frame = textSend({ to: owner.id }, 'may I?');
      expect(await sendAndWait(socket, frame)).toMatchObject({
        type: 'error',
        ref: frame.messageId,
        code: 'not_allowed',
        retryable: false,
      });
      expect(await codeOf(begin(stranger, owner))).toBe('not_allowed');
      expect((await owner.http<Page<object>>('GET', '/v1/conversations')).body.items).toEqual([]);
      await setContact(owner, stranger, true);
      // the same message, asked for again
      expect((await sendAndWait(socket, { ...frame, retry: true })).type).toBe('sent');
      await setContact(owner, stranger, false);
      expect((await sendAndWait(socket, textSend({ to: owner.id }, 'going on'))).type).toBe('sent');
      expect((await begin(stranger, owner)).status).toBe(200);
      socket.cut();
    });

    it('sends what was held when it is set meanwhile', async () => {
      const [owner, friend] = [await create(), await create()];
      const { id } = await friend.direct(owner);
      const socket = await friend.connect('gateway-1');
      await say(socket, id, 'before');
      const frame = textSend({ conversationId: id }, 'on the disk');
      stack.kafka.signal('SIGSTOP');
      try {
        socket.send(frame);
        await socket.find((f) => f.type === 'held' && f['messageId'] === frame.messageId);
        await setPrivacy(owner, { messages: 'contacts' });
      } finally {
        stack.kafka.signal('SIGCONT');
      }
      const isSent = (f: { type: string; messageId?: unknown }): boolean =>
        f.type === 'sent' && f.messageId === frame.messageId;
      await socket.find(isSent, 60_000);
      socket.cut();
    });
  });

  describe('groups: contacts', () => {
    it('lets only contacts make groups with somebody and add them', async () => {
      const [maker, open, owner] = [await create(), await create(), await create()];
      await setPrivacy(owner, { groups: 'contacts' });
      const made = await postGroup(maker, [open.id, owner.id]);
      expect([made.status, made.body.code]).toEqual([403, 'not_allowed']);
      expect(JSON.stringify(made.body)).not.toContain(owner.id);
      const id = await makeGroup(maker, [open]);
      expect((await addTo(maker, id, owner)).body.code).toBe('not_allowed');
      await setContact(owner, maker, true);
      expect((await addTo(maker, id, owner)).status).toBe(200);
      await setContact(owner, maker, false);
      // who is a member already stays one; who has left is asked for anew
      expect((await addTo(maker, id, owner)).status).toBe(200);
      expect((await removeFrom(owner, id, owner)).status).toBe(204);
      expect((await addTo(maker, id, owner)).body.code).toBe('not_allowed');
    });
  });

  describe('findByEmail', () => {
    const find = (by: ChatUser, email: string) =>
      by.http<Page<User>>('GET', `/v1/users?query=${encodeURIComponent(email)}`);
    const mailOf = (user: ChatUser): string => `${user.username}@example.org`;

    it('finds who allows it by the whole address, in any case, and nobody else', async () => {
      const [open, closed, seeker] = [await create(), await create(), await create(1)];
      await setPrivacy(open, { findByEmail: true });
      const found = await find(seeker, mailOf(open).toUpperCase());
      expect(found.body.items.map(({ id }) => id)).toEqual([open.id]);
      expect(JSON.stringify(found.body)).not.toContain('@');
      expect((await find(seeker, mailOf(open).slice(0, -1))).body).toEqual({ items: [] });
      expect((await find(seeker, mailOf(closed))).body).toEqual({ items: [] });
      // a block hides no names, and no addresses either
      await setBlock(open, seeker, true);
      expect((await find(seeker, mailOf(open))).body.items).toHaveLength(1);
    });

    it('does not tell who does not allow it from nobody: not by the answer, not by its time', async () => {
      const [closed, seeker] = [await create(), await create()];
      const nobody = { username: closed.username.replace('user', 'none') } as ChatUser;
      const times: Record<string, number[]> = { closed: [], nobody: [] };
      const answers = new Set<string>();
      for (let round = 0; round < 120; round++) {
        // in turns: whatever else the machine does meets both
        for (const [who, user] of Object.entries({ closed, nobody })) {
          const startedAt = performance.now();
          const { status, headers, body } = await find(seeker, mailOf(user));
          times[who]!.push(performance.now() - startedAt);
          const names = [...headers.keys()].filter((name) => name !== 'date');
          answers.add(JSON.stringify([status, names, headers.get('content-length'), body]));
        }
      }
      expect(answers.size).toBe(1);
      const median = (all: number[]): number => all.sort((a, b) => a - b)[all.length / 2]!;
      const [one, other] = [median(times['closed']!), median(times['nobody']!)];
      expect(Math.abs(one - other)).toBeLessThan(0.2 * Math.min(one, other) + 0.5);
    });
  });
});
