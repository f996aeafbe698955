import { randomUUID } from 'node:crypto';
import type { Problem } from '@tidings/protocol/http';
import { RATES, type UserRateName } from '@tidings/protocol/limits';
import { uuidv7 } from 'uuidv7';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend, type Answer } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { manyUsers } from '../support/many-users';
import { openSocket, UpgradeRefused, type Frame, type TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';

const ANSWER_MS = 30_000;
/** Calls under way together; hundreds would stand in the line of a slow machine until they time out. */
const AT_A_TIME = 50;
/** Refusals that are looked at. */
const ENOUGH = 5;
/** A rate that is not held ends a flood here. */
const MOST_TIMES = 20;
/** A gateway's own share of sends, and what it leases at a time: what a further gateway adds at most. */
const FURTHER = RATES.send.own.burst + 10;

type Call = (user: ChatUser, n: number) => Promise<Answer<Problem>>;

/** Rates with their default values, through the public interface: what fits, and one more. */
describe('rates of users and devices hold with their default values', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let others: string[];

  beforeAll(async () => {
    // the address is the same for all here
    const env = { RATE_LIMITS: '' };
    ({ stack, stop } = await startTestStack({ env }));
    others = await manyUsers(stack.databaseUrl, 100);
  }, 240_000);
  afterAll(() => stop?.());

  const user = (at = 0): Promise<ChatUser> => ChatUser.create(stack.gatewayUrls, { at });
  const group = (name: string, userIds: string[] = []) => ({
    kind: 'group',
    requestId: uuidv7(),
    title: name,
    userIds,
  });

  /**
   * Calls, some at a time, until `count` were made and some of them were refused; how many were
   * taken, and in which time.
   */
  async function flood(by: ChatUser, count: number, call: Call) {
    const startedAt = performance.now();
    const answers: Answer<Problem>[] = [];
    const limited: Answer<Problem>[] = [];
    // what comes back meanwhile is spent, too: a slow machine needs more calls
    const most = MOST_TIMES * count;
    let next = 0;
    await Promise.all(
      Array.from({ length: AT_A_TIME }, async () => {
        while (next < most && (next < count || limited.length < ENOUGH)) {
          const answer = await call(by, next++);
          answers.push(answer);
          if (answer.status === 429) limited.push(answer);
        }
      }),
    );
    const taken = answers.length - limited.length;
    return { limited, taken, ms: performance.now() - startedAt };
  }

  function expectRate(
    name: UserRateName,
    { limited, taken, ms }: Awaited<ReturnType<typeof flood>>,
    gone = 0,
  ): void {
    const { burst, perMinute } = RATES[name];
    expect(taken + gone).toBeGreaterThanOrEqual(burst);
    expect(taken + gone).toBeLessThanOrEqual(burst + Math.ceil((ms * perMinute) / 60_000));
    expect(limited.length).toBeGreaterThan(0);
    for (const { body, headers } of limited) {
      expect(body).toMatchObject({ code: 'rate_limited', retryable: true });
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
  }

  const calls: [name: UserRateName, what: string, call: Call][] = [
    ['createConversation', 'groups', (u, n) => u.http('POST', '/v1/conversations', group(`g${n}`))],
    [
      'createConversation',
      'direct conversations',
      (u, n) =>
        u.http('POST', '/v1/conversations', {
          kind: 'direct',
          userIds: [others[n % others.length]],
        }),
    ],
    ['contact', 'contacts', (u, n) => u.http('PUT', `/v1/contacts/${others[n % others.length]}`)],
    ['block', 'blocks', (u, n) => u.http('PUT', `/v1/blocks/${others[n % others.length]}`)],
    ['changeAccount', 'profiles', (u, n) => u.http('PATCH', '/v1/me', { firstName: `A${n}` })],
    ['search', 'searches', (u) => u.http('GET', '/v1/users?query=ab')],
    ['findByEmail', 'addresses', (u, n) => u.http('GET', `/v1/users?query=a${n}%40b.org`)],
    ['read', 'reads', (u) => u.http('GET', '/v1/contacts')],
    ['sync', 'syncs', (u) => u.http('POST', '/v1/sync', {})],
    ['connect', 'tickets', (u) => u.http('POST', '/v1/connections', { deviceId: u.deviceId })],
    ['download', 'downloads', (u) => u.http('GET', `/v1/media/${randomUUID()}`)],
    ['trace', 'traces', (u) => u.http('GET', `/v1/conversations/c/messages/${randomUUID()}/trace`)],
  ];

  it.each(calls)('%s: %s', async (name, _what, call) => {
    expectRate(name, await flood(await user(), RATES[name].burst + ENOUGH, call));
  });

  describe('in a group', () => {
    const made = async (by: ChatUser): Promise<string> =>
      (await by.http<{ id: string }>('POST', '/v1/conversations', group('mine'))).body.id;

    it.each<[string, (id: string) => Call]>([
      ['renames', (id) => (u, n) => u.http('PATCH', `/v1/conversations/${id}`, { title: `t${n}` })],
      [
        'invitations',
        (id) => (u, n) =>
          u.http('POST', `/v1/conversations/${id}/members`, {
            userIds: [others[n % others.length]],
          }),
      ],
      [
        'removals',
        (id) => (u, n) =>
          u.http('DELETE', `/v1/conversations/${id}/members/${others[n % others.length]}`),
      ],
    ])('changeConversation: %s', async (_what, call) => {
      const ann = await user();
      const id = await made(ann);
      const { burst } = RATES.changeConversation;
      expectRate('changeConversation', await flood(ann, burst + 5, call(id)));
    });

    it('invite: people, not calls', async () => {
      const ann = await user();
      const ids = Array.from({ length: 100 }, () => uuidv7());
      const ask: Call = (u) => u.http('POST', '/v1/conversations', group('none', ids));
      const { taken, limited, ms } = await flood(ann, 13, ask);
      const most = (RATES.invite.burst + (ms * RATES.invite.perMinute) / 60_000) / ids.length;
      expect(taken).toBeGreaterThanOrEqual(10);
      expect(taken).toBeLessThanOrEqual(Math.floor(most));
      expect(limited[0]!.body.code).toBe('rate_limited');
    });

    it('receipt: marks over HTTP', async () => {
      const ann = await user();
      const id = await made(ann);
      const mark: Call = (u) => u.http('PUT', `/v1/conversations/${id}/receipts`, { read: '1' });
      expectRate('receipt', await flood(ann, RATES.receipt.burst + 60, mark));
    });
  });

  it('upload: refused before the bytes are looked at', async () => {
    const ann = await user();
    const startedAt = performance.now();
    const answers: Answer<Problem>[] = [];
    const limited: Answer<Problem>[] = [];
    // one after the other: many at once are `busy` before they are counted
    while (answers.length < MOST_TIMES * RATES.upload.burst && limited.length < ENOUGH) {
      const answer = await ann.http<Problem>('POST', '/v1/media', {});
      answers.push(answer);
      if (answer.status === 429) limited.push(answer);
    }
    const ms = performance.now() - startedAt;
    expectRate('upload', { limited, taken: answers.length - limited.length, ms });
  });

  it('connect: tickets and sockets together', async () => {
    const ann = await user();
    let sockets = 0;
    const startedAt = performance.now();
    for (let n = 0; n <= RATES.connect.burst; n++) {
      const answer = await ann.http<{ ticket: string; gateways: { url: string }[] }>(
        ...(['POST', '/v1/connections', { deviceId: ann.deviceId }] as const),
      );
      if (answer.status === 429) break;
      try {
        (await openSocket(answer.body.gateways[0]!.url, answer.body.ticket)).cut();
      } catch (error) {
        expect(error).toEqual(new UpgradeRefused(429));
        break;
      }
      sockets += 1;
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const { burst, perMinute } = RATES.connect;
    expect(sockets).toBeGreaterThanOrEqual(burst / 2 - 1);
    expect(sockets).toBeLessThanOrEqual((burst + (seconds * perMinute) / 60) / 2 + 1);
  });

  describe('sends', () => {
    let ann: ChatUser;
    let id: string;

    beforeEach(async () => {
      ann = await user();
      const body = { kind: 'direct', userIds: [others[0]] };
      id = (await ann.http<{ id: string }>('POST', '/v1/conversations', body)).body.id;
    });

    /** Sends all at once over some sockets; whether each was taken, in order. */
    async function burst(sockets: TestSocket[], count: number): Promise<Frame[]> {
      const sends = Array.from({ length: count }, (_, n) => {
        const frame = textSend({ conversationId: id }, `burst ${n}`);
        return { frame, socket: sockets[n % sockets.length]! };
      });
      for (const { frame, socket } of sends) socket.send(frame);
      return Promise.all(
        sends.map(({ frame, socket }) =>
          socket.find(
            (f) => f['messageId'] === frame.messageId && ['sent', 'error'].includes(f.type),
            ANSWER_MS,
          ),
        ),
      );
    }
    /** Not `pending`, which names the message, too. */
    const answerOf =
      ({ messageId }: { messageId: string }) =>
      (f: Frame): boolean =>
        f['messageId'] === messageId && ['sent', 'error'].includes(f.type);
    const takenOf = (answers: Frame[]): number => answers.filter((f) => f.type === 'sent').length;
    const most = (ms: number): number =>
      RATES.send.burst + Math.ceil((ms * RATES.send.perMinute) / 60_000) + 1;

    it('a burst of 60 by frames, then one more is refused', async () => {
      const socket = await ann.connect();
      const startedAt = performance.now();
      const answers = await burst([socket], RATES.send.burst + 30);
      const ms = performance.now() - startedAt;
      const taken = takenOf(answers);
      expect(taken).toBeGreaterThanOrEqual(RATES.send.burst);
      expect(taken).toBeLessThanOrEqual(most(ms));
      // nothing overtakes what was refused
      expect(answers.slice(0, taken).every((f) => f.type === 'sent')).toBe(true);
      const [refused, ...later] = answers.slice(taken);
      expect(refused).toMatchObject({ code: 'rate_limited', retryable: true });
      expect(refused!['retryAfterMs']).toBeGreaterThan(0);
      expect(new Set(later.map((f) => f['code']))).toEqual(new Set(['rate_limited']));
      socket.cut();
    });

    it('the same rate for PUT, and for both together', async () => {
      const put: Call = (u, n) =>
        u.http('PUT', `/v1/conversations/${id}/messages/${uuidv7()}`, {
          content: { kind: 'text', text: `put ${n}` },
        });
      const socket = await ann.connect('gateway-1');
      const startedAt = performance.now();
      const frames = takenOf(await burst([socket], 40));
      const { taken, limited } = await flood(ann, 60, put);
      const ms = performance.now() - startedAt;
      expect(frames).toBe(40);
      expect(taken).toBeGreaterThanOrEqual(RATES.send.burst - 40);
      expect(frames + taken).toBeLessThanOrEqual(most(ms) + 1);
      expect(limited[0]!.body.code).toBe('rate_limited');
      socket.cut();
    });

    it('edits and deletions are sends, too', async () => {
      const socket = await ann.connect();
      const startedAt = performance.now();
      const messageId = uuidv7();
      const changes = Array.from({ length: RATES.send.burst + 30 }, () => uuidv7());
      for (const changeId of changes) {
        socket.send({ type: 'delete', changeId, messageId, conversationId: id });
      }
      const answers = await Promise.all(
        changes.map((ref) => socket.find((f) => f['ref'] === ref, ANSWER_MS)),
      );
      const ms = performance.now() - startedAt;
      // others are not found, or too many wait
      const limited = answers.filter((f) => f['code'] === 'rate_limited').length;
      expect(changes.length - limited).toBeGreaterThanOrEqual(RATES.send.burst);
      expect(changes.length - limited).toBeLessThanOrEqual(most(ms));
      socket.cut();
    });

    it('two devices at two gateways share it, within the documented bound', async () => {
      const laptop = await ann.onNewDevice();
      const sockets = [await ann.connect('gateway-1'), await laptop.connect('gateway-2')];
      const startedAt = performance.now();
      const answers = await burst(sockets, 2 * RATES.send.burst + 40);
      const ms = performance.now() - startedAt;
      expect(takenOf(answers)).toBeGreaterThanOrEqual(RATES.send.burst);
      expect(takenOf(answers)).toBeLessThanOrEqual(
        most(ms) + FURTHER + Math.ceil((ms * RATES.send.own.perMinute) / 60_000),
      );
      for (const socket of sockets) socket.cut();
    });

    it('many new chats by `to` cost what they do over HTTP; old ones do not', async () => {
      const socket = await ann.connect();
      const startedAt = performance.now();
      const answers: Frame[] = [];
      for (const to of others.slice(1)) {
        const frame = textSend({ to }, 'hello');
        socket.send(frame);
        answers.push(await socket.find(answerOf(frame), ANSWER_MS));
        if (answers.at(-1)!.type === 'error') break;
      }
      const ms = performance.now() - startedAt;
      // one was made before
      const { burst: once, perMinute } = RATES.createConversation;
      expect(takenOf(answers)).toBeGreaterThanOrEqual(once - 1);
      expect(takenOf(answers)).toBeLessThanOrEqual(once + Math.ceil((ms * perMinute) / 60_000));
      expect(answers.at(-1)).toMatchObject({ type: 'error', code: 'rate_limited' });
      const old = textSend({ to: others[1]! }, 'again');
      socket.send(old);
      const again = await socket.find(answerOf(old), ANSWER_MS);
      expect(again.type).toBe('sent');
      socket.cut();
    });
  });

  it.each<[UserRateName, (n: number) => Frame, (frame: Frame) => (f: Frame) => boolean]>([
    [
      'sync',
      () => ({ type: 'sync', ref: uuidv7() }),
      ({ ref }) =>
        (f) =>
          f['ref'] === ref,
    ],
    [
      'receipt',
      () => ({ type: 'read', conversationId: uuidv7(), position: '1' }),
      ({ conversationId }) =>
        (f) =>
          f['conversationId'] === conversationId,
    ],
  ])('%s: frames', async (name, frameOf, answerTo) => {
    const ann = await user();
    const socket = await ann.connect();
    const startedAt = performance.now();
    const frames = Array.from({ length: RATES[name].burst + 60 }, (_, n) => frameOf(n));
    for (const frame of frames) socket.send(frame);
    const answers = await Promise.all(
      frames.map((frame) => socket.find(answerTo(frame), ANSWER_MS)),
    );
    const ms = performance.now() - startedAt;
    const limited = answers.filter((f) => f['code'] === 'rate_limited').length;
    const { burst, perMinute } = RATES[name];
    expect(frames.length - limited).toBeGreaterThanOrEqual(burst);
    expect(frames.length - limited).toBeLessThanOrEqual(
      burst + 2 + Math.ceil((ms * perMinute) / 60_000),
    );
    socket.cut();
  });

  it('frame: a burst is answered, and a client that goes on is closed', async () => {
    const socket = await (await user()).connect();
    const refs = Array.from({ length: RATES.frame.burst }, () => uuidv7());
    for (const ref of refs) socket.send({ type: 'ping', ref });
    await Promise.all(refs.map((ref) => socket.find((f) => f['ref'] === ref, ANSWER_MS)));
    expect(socket.closed).toBeNull();
    for (let n = 0; n < 2 * RATES.frame.burst; n++) socket.send({ type: 'ping' });
    await eventually(() => expect(socket.closed?.code).toBe(4029));
  });

  it('operators see what was refused, by rate', async () => {
    const texts = await Promise.all(
      stack.gatewayUrls.map(async (url) => (await fetch(`${url}/metrics`)).text()),
    );
    for (const rate of ['send', 'contact', 'sync']) {
      expect(texts.join('\n')).toMatch(
        new RegExp(`tidings_rate_limited_total\\{[^}]*rate="${rate}"[^}]*\\} [1-9]`),
      );
    }
  });

  it('Redis away: sends go on, each gateway counts for itself', async () => {
    const ann = await user();
    const id = (
      await ann.http<{ id: string }>('POST', '/v1/conversations', {
        kind: 'direct',
        userIds: [others[0]],
      })
    ).body.id;
    const socket = await ann.connect('gateway-1');
    await stack.redis.kill();
    try {
      const frames = Array.from({ length: 2 * RATES.send.burst }, (_, n) =>
        textSend({ conversationId: id }, `alone ${n}`),
      );
      const startedAt = performance.now();
      for (const frame of frames) socket.send(frame);
      const answers = await Promise.all(
        frames.map(({ messageId }) =>
          socket.find(
            (f) => f['messageId'] === messageId && ['sent', 'error'].includes(f.type),
            ANSWER_MS,
          ),
        ),
      );
      const seconds = (performance.now() - startedAt) / 1_000;
      const taken = answers.filter((f) => f.type === 'sent').length;
      expect(taken).toBeGreaterThanOrEqual(RATES.send.burst);
      expect(taken).toBeLessThanOrEqual(RATES.send.burst + Math.ceil(seconds * 20) + 1);
      expect(answers.at(-1)!['code']).toBe('rate_limited');
      // calls that need no Redis of their own
      const { burst } = RATES.contact;
      const add: Call = (u, n) => u.http('PUT', `/v1/contacts/${others[n % others.length]}`);
      expectRate('contact', await flood(ann, burst + 5, add));
    } finally {
      await stack.redis.restart();
    }
    socket.cut();
  });
});
