import { Client } from 'pg';
import type { Conversation } from '@tidings/protocol/http';
import { LIMITS, RATES } from '@tidings/protocol/limits';
import { TOPICS } from '@tidings/common/log-events/topics';
import { TYPING } from '@tidings/protocol/typing';
import { createKafka } from '@tidings/common/kafka/wire/client';
import { nodeClient } from '@tidings/sdk/node';
import { uuidv7 } from 'uuidv7';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { metricOf } from '../support/service-report';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';
import { changeTopic } from '../support/topic-config';

/** Signals of one device, one after the other. */
const FLOOD = 100;

describe('typing', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let id: string;
  let a: TestSocket;
  let b: TestSocket;

  beforeAll(async () => {
    // with its rate
    ({ stack, stop } = await startTestStack({ env: { RATE_LIMITS: '' } }));
  }, 240_000);
  afterAll(() => stop?.());

  beforeEach(async () => {
    ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    id = (await ann.direct(bob)).id;
    a = await ann.connect('gateway-1');
    b = await bob.connect('gateway-2');
  });
  afterEach(async () => {
    for (const socket of [a, b]) socket.cut();
  });

  const say = (socket: TestSocket, active: boolean, conversationId = id): void =>
    socket.send({ type: 'typing', conversationId, active });
  const typingOf = (of: ChatUser, active: boolean, conversationId = id) => {
    const wanted = { type: 'typing', conversationId, userId: of.id, active };
    return (frame: Frame): boolean => JSON.stringify(frame) === JSON.stringify(wanted);
  };
  /** After this everything that was said before has been handed on, if it is handed on at all. */
  const drained = async (from: TestSocket, to: TestSocket, sender: ChatUser): Promise<void> => {
    const fresh = (
      await sender.http<Conversation>('POST', '/v1/conversations', {
        kind: 'group',
        requestId: uuidv7(),
        title: 'Later',
        userIds: [sender === ann ? bob.id : ann.id],
      })
    ).body.id;
    // the same lane, another partition perhaps: said until it comes, which is behind what was said
    const until = performance.now() + 20_000;
    for (;;) {
      say(from, true, fresh);
      try {
        await to.find(typingOf(sender, true, fresh), 2_500);
        break;
      } catch (error) {
        if (performance.now() > until) throw error;
      }
    }
    const mark = textSend({ conversationId: id }, 'done');
    from.send(mark);
    await to.find((f) => f.type === 'message' && f['messageId'] === mark.messageId);
  };

  /** Signals that gateway 1 has given up, for one of these reasons. */
  const dropped = async (...reasons: string[]): Promise<number> => {
    const page = await (await fetch(`${stack.node('gateway-1').url}/metrics`)).text();
    const lines = page.matchAll(/^tidings_typing_dropped_total\{[^}]*why="(\w+)"[^}]*\} (\d+)$/gm);
    return [...lines].reduce(
      (sum, [, why, n]) => sum + (reasons.includes(why!) ? Number(n) : 0),
      0,
    );
  };
  /** Those of them that the log did not take. */
  const notTaken = () => dropped('stopped', 'stalled', 'full');
  /** Signals that it took. */
  const accepted = () => metricOf(stack.node('gateway-1').url, 'typing_accepted_total');

  it('reaches the other one on another gateway, begins and ends, and is not answered', async () => {
    const desk = await (await ann.onNewDevice()).connect('gateway-2');
    say(a, true);
    await b.find(typingOf(ann, true));
    say(a, false);
    await b.find(typingOf(ann, false));
    say(b, true);
    await a.find(typingOf(bob, true));
    await desk.find(typingOf(bob, true));
    // nobody is told of his own typing, and nothing of it is kept
    expect(desk.frames.filter((f) => f['userId'] === ann.id && f.type === 'typing')).toEqual([]);
    expect(a.of('error')).toEqual([]);
    const kinds = (await ann.history(id)).map((m) => m.content.kind);
    expect(kinds).toEqual(['event']);
    desk.cut();
  });

  it('ends when the socket ends', async () => {
    say(a, true);
    await b.find(typingOf(ann, true));
    a.cut();
    await b.find(typingOf(ann, false));
    // also for who came in between
    say(b, true);
    const again = await ann.connect('gateway-2');
    b.cut();
    await again.find(typingOf(bob, false));
    await again.end();
  });

  it('of outsiders and former members reaches nobody, and they hear nothing', async () => {
    const [carol, eve] = [
      await ChatUser.create(stack.gatewayUrls, { at: 0 }),
      await ChatUser.create(stack.gatewayUrls, { at: 1 }),
    ];
    const made = await ann.http<Conversation>('POST', '/v1/conversations', {
      kind: 'group',
      requestId: uuidv7(),
      title: 'Three',
      userIds: [bob.id, carol.id],
    });
    const group = made.body.id;
    const c = await carol.connect('gateway-1');
    const e = await eve.connect('gateway-2');
    say(c, true, group);
    await b.find(typingOf(carol, true, group));
    say(a, true, group);
    await c.find(typingOf(ann, true, group));
    const path = `/v1/conversations/${group}/members/${carol.id}`;
    expect((await ann.http('DELETE', path)).status).toBe(204);
    await b.find((f) => f.type === 'conversation' && f['conversationId'] === group);
    const told = c.of('typing').length;
    // the documented grace of a gateway's memory does not reach the others: session looks again
    say(c, false, group);
    say(c, true, group);
    for (const conversationId of [group, id, 'A'.repeat(43)]) say(e, true, conversationId);
    say(a, false, group);
    await b.find(typingOf(ann, false, group));
    await drained(a, b, ann);
    const strangers = [carol.id, eve.id];
    const heard = b.of('typing').filter((f) => strangers.includes(f['userId'] as string));
    expect(heard).toHaveLength(1);
    expect([e.of('typing'), e.of('error'), c.of('error')]).toEqual([[], [], []]);
    expect(c.of('typing')).toHaveLength(told);
    for (const socket of [c, e]) socket.cut();
  });

  it('of the two of a block reaches neither', async () => {
    expect((await bob.http('PUT', `/v1/blocks/${ann.id}`)).status).toBe(200);
    say(a, true);
    say(b, true);
    await drained(b, a, bob);
    const here = (socket: TestSocket) =>
      socket.of('typing').filter((f) => f['conversationId'] === id);
    expect([here(a), here(b)]).toEqual([[], []]);
    expect(a.of('error')).toEqual([]);
    await bob.http('DELETE', `/v1/blocks/${ann.id}`);
    await eventually(async () => {
      say(a, true);
      await b.find(typingOf(ann, true), 2_500);
    }, 20_000);
  });

  it('is told in groups of up to 32 members, not above', async () => {
    const others = Array.from({ length: LIMITS.membersInline - 1 }, () => uuidv7());
    const sql = new Client({ connectionString: stack.databaseUrl });
    await sql.connect();
    await sql.query(
      `INSERT INTO users (id, username, username_key, email, email_key, first_name, password_hash)
       SELECT u, u, u, u, u, 'Many', '' FROM unnest($1::uuid[]) u`,
      [others],
    );
    await sql.end();
    const group = async (userIds: string[]): Promise<string> => {
      const body = { kind: 'group', requestId: uuidv7(), title: 'Crowd', userIds };
      const made = await ann.http<Conversation>('POST', '/v1/conversations', body);
      expect(made.status).toBe(201);
      return made.body.id;
    };
    const large = await group([bob.id, ...others]);
    const small = await group([bob.id, ...others.slice(1)]);
    say(a, true, large);
    say(a, true, small);
    await b.find(typingOf(ann, true, small));
    say(a, false, large);
    say(a, false, small);
    await b.find(typingOf(ann, false, small));
    await drained(a, b, ann);
    expect(b.of('typing').filter((f) => f['conversationId'] === large)).toEqual([]);
  });

  it('is bounded per device, and a flood of it delays no message', async () => {
    say(a, true);
    await b.find(typingOf(ann, true));
    const began = performance.now();
    const before = [await accepted(), await dropped('rate')] as const;
    for (let i = 1; i < FLOOD; i++) say(a, i % 2 === 0);
    const frame = textSend({ conversationId: id }, 'through');
    a.send(frame);
    await a.find((f) => f.type === 'sent' && f['messageId'] === frame.messageId);
    // what was taken of the flood, when the message behind it was taken
    const { burst, own, perMinute } = RATES.typing;
    const seconds = (performance.now() - began) / 1000;
    const most = burst + own.burst + 1 + (perMinute / 60) * seconds;
    expect((await accepted()) - before[0]).toBeLessThanOrEqual(most);
    expect((await dropped('rate')) - before[1]).toBeGreaterThan(20);
    await b.find((f) => f['messageId'] === frame.messageId);
    // of one device only: the other one has all of its own rate
    say(b, true);
    await a.find(typingOf(bob, true));
    await drained(a, b, ann);
    expect(a.closed).toBeNull();
    for (const bad of [
      { type: 'typing', conversationId: id },
      { type: 'typing', conversationId: id, active: 'yes' },
      { type: 'typing', conversationId: id, active: true, userId: bob.id },
    ]) {
      a.send(bad);
      expect(await a.next('error')).toMatchObject({ code: 'invalid_frame', conversationId: id });
    }
  });

  it('goes a way of its own: where the log takes none of it, messages go on', async () => {
    const kafka = createKafka({ brokers: stack.brokers.split(','), clientId: 'typing-test' });
    await changeTopic(kafka, TOPICS.signals, { 'max.message.bytes': '1' });
    try {
      const before = await notTaken();
      let active = false;
      await eventually(async () => {
        say(a, (active = !active));
        expect(await notTaken()).toBeGreaterThan(before);
      }, 250);
      const frame = textSend({ conversationId: id }, 'through');
      a.send(frame);
      await b.find((f) => f['messageId'] === frame.messageId);
    } finally {
      await changeTopic(kafka, TOPICS.signals, {});
    }
    await drained(a, b, ann);
  });

  it('is offered, and two SDK clients show it until it ends by itself or with the message', async () => {
    const [one, two] = [0, 1].map(() => nodeClient({ servers: stack.gatewayUrls }));
    for (const [client, { username }] of [
      [one!, ann],
      [two!, bob],
    ] as const) {
      await client.login({ username, password: ChatUser.PASSWORD });
      await client.start();
      await client.whenSynced();
    }
    try {
      const news: boolean[] = [];
      two!.on('typing', ({ active, conversationId, userId }) => {
        expect([conversationId, userId]).toEqual([id, ann.id]);
        news.push(active);
      });
      one!.typing(id);
      await eventually(() => expect(two!.typingIn(id)).toEqual([ann.id]));
      one!.send({ conversationId: id, text: 'hello' });
      await eventually(() => expect(two!.typingIn(id)).toEqual([]));
      await eventually(() =>
        expect(two!.messages(id).at(-1)?.content).toMatchObject({ text: 'hello' }),
      );
      one!.typing(id);
      await eventually(() => expect(two!.typingIn(id)).toEqual([ann.id]));
      // no key for five seconds
      await eventually(() => expect(two!.typingIn(id)).toEqual([]), TYPING.shownMs + 10_000);
      expect(news).toEqual([true, false, true, false]);
    } finally {
      await Promise.all([one, two].map((client) => client!.stop()));
    }
  });
});
