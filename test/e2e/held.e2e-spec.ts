import { readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Conversation } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { makeGroup } from '../support/talk';
import { Holding } from '../support/holding';
import { answerTo, pushOf } from '../support/sends';
import { logLines, metricOf } from '../support/service-report';
import { startTestStack } from '../support/test-stack';
import type { TestSocket } from '../support/test-socket';

const PAUSE_MS = 50;
const DOWN_MS = 10_000;
/** Kafka starts, the groups join again, storage catches up. */
const BACK_MS = 60_000;
/** Lifetime of messages in a temporary chat, far longer than the log is away. */
const LIFE_SECONDS = 3_600;
/**
 * For all that gateway-1 holds: a quarter of it for one partition, so for one conversation. The share of one sender is
 * enough for 40 s of a chat: so long Kafka is away on a busy machine.
 */
const SPOOL_MAX_BYTES = 8 * 1024 * 1024;
const SPOOL_SHARE_BYTES = SPOOL_MAX_BYTES / 4;
/** Of it all, for the messages of one account. */
const SENDER_SHARE_BYTES = SPOOL_MAX_BYTES / 32;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('sends while Kafka is away', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let conversation: Conversation;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      nodeEnv: { 'gateway-1': { SPOOL_MAX_BYTES: String(SPOOL_MAX_BYTES) } },
    }));
    ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    conversation = await ann.direct(bob);
  }, 240_000);
  afterAll(() => stop?.());

  const metric = (gateway: string, name: string) => metricOf(stack.node(gateway).url, name);

  const spoolIsEmpty = (gateway: string) =>
    eventually(async () => {
      expect(await metric(gateway, 'spool_entries')).toBe(0);
      expect(await metric(gateway, 'spool_bytes')).toBe(0);
    }, BACK_MS);

  const answers = (socket: TestSocket, type: string): string[] =>
    socket.of(type).map((frame) => frame['messageId'] as string);

  const answered = (socket: TestSocket, type: string, ids: readonly string[]) =>
    eventually(() => {
      const of = new Set(answers(socket, type));
      expect(ids.filter((id) => !of.has(id))).toEqual([]);
    }, BACK_MS);

  /** Sends a line every 50 ms until told to stop; the ids in order. */
  function chat(socket: TestSocket, name: string) {
    const ids: string[] = [];
    const timer = setInterval(() => {
      const frame = textSend({ conversationId: conversation.id }, `${name} ${ids.length}`);
      ids.push(frame.messageId);
      socket.send(frame);
    }, PAUSE_MS);
    return { ids, stop: () => clearInterval(timer) };
  }

  it('are held, then sent: none is lost or doubled, and everybody sees one order', async () => {
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const [ann2, bob2] = [await ann.onNewDevice(), await bob.onNewDevice()];
    const others = [await ann2.connect('gateway-2'), await bob2.connect('gateway-1')];
    const sockets = [a, b, ...others];
    const views = sockets.map((socket) => {
      const view = new Holding();
      socket.onFrame = (frame) => view.take(frame);
      return view;
    });
    await Promise.all(views.map((view, i) => view.sync(sockets[i]!)));
    const brief = await makeGroup(ann, [bob], { messageTtlSeconds: LIFE_SECONDS });
    const c = await (await ann.onNewDevice(0)).connect('gateway-1');
    const mortal = textSend({ conversationId: brief }, 'not for long');
    expect((await answerTo(c, textSend({ conversationId: brief }, 'before'))).type).toBe('sent');
    const chats = [chat(a, 'ann'), chat(b, 'bob')];
    let put: { status: number; body: unknown } | null = null;
    const putId = textSend({ conversationId: conversation.id }, '').messageId;
    try {
      await sleep(1_000);
      await stack.kafka.stop();
      await sleep(DOWN_MS / 2);
      put = await ann.http('PUT', `/v1/conversations/${conversation.id}/messages/${putId}`, {
        content: { kind: 'text', text: 'by HTTP' },
      });
      expect((await answerTo(c, mortal)).type).toBe('held');
      await sleep(DOWN_MS / 2);
      await stack.kafka.restart();
      await sleep(2_000);
    } finally {
      for (const one of chats) one.stop();
    }
    expect([put.status, put.body]).toEqual([202, { messageId: putId }]);
    await answered(a, 'sent', chats[0]!.ids);
    await answered(b, 'sent', chats[1]!.ids);
    for (const [i, socket] of [a, b].entries()) {
      const held = answers(socket, 'held');
      expect(held.length).toBeGreaterThan((DOWN_MS / PAUSE_MS) * 0.8);
      // held comes before sent, and those that were held were held in their order
      expect(held).toEqual(chats[i]!.ids.filter((id) => held.includes(id)));
      expect(socket.of('error')).toEqual([]);
    }
    // the end of what was held is told with its place, to its sender too: no push comes of what is over
    const place = await c.find((f) => f.type === 'sent' && f['messageId'] === mortal.messageId);
    const toldEnds = [place, await pushOf(b, mortal.messageId)].map((f) => f['expiresAt']);
    expect(new Set(toldEnds)).toEqual(
      new Set([
        new Date(Date.parse(place['sentAt'] as string) + LIFE_SECONDS * 1_000).toISOString(),
      ]),
    );
    await Promise.all(['gateway-1', 'gateway-2'].map(spoolIsEmpty));
    expect(await metric('gateway-1', 'held_total')).toBe(answers(a, 'held').length + 2);

    const all = [...chats.flatMap(({ ids }) => ids), putId];
    const history = await eventually(async () => {
      const found = (await bob.history(conversation.id)).filter((m) => m.content.kind === 'text');
      expect(found).toHaveLength(all.length);
      return found;
    }, BACK_MS);
    expect(history.map((m) => m.messageId).sort()).toEqual([...all].sort());
    for (const { ids } of chats) {
      expect(history.map((m) => m.messageId).filter((id) => ids.includes(id))).toEqual(ids);
    }
    const order = history.map((m) => m.messageId);
    const places = new Map(history.map((m) => [m.messageId, m.position]));
    for (const [i, view] of views.entries()) {
      await view.sync(sockets[i]!);
      const seen = view.ordered(conversation.id).map((m) => m.messageId);
      expect(seen.filter((id) => all.includes(id))).toEqual(order);
      const sent = sockets[i]!.of('sent');
      for (const one of sent) expect(one['position']).toBe(places.get(one['messageId'] as string));
    }
    // only who sends is answered
    expect(others.flatMap((one) => [...one.of('sent'), ...one.of('held')])).toEqual([]);
    await Promise.all([...sockets, c].map((socket) => socket.end()));
  }, 180_000);

  it('are refused when the disk is full for them, nothing overtakes, and all are sent afterwards', async () => {
    const fillers = await Promise.all(
      Array.from({ length: 9 }, () => ChatUser.create(stack.gatewayUrls, { at: 0 })),
    );
    const group = { id: await makeGroup(ann, [bob, ...fillers]) };
    const a = await ann.connect('gateway-1');
    const phone = await (await bob.onNewDevice()).connect('gateway-2');
    const target = { conversationId: group.id };
    const long = (): ReturnType<typeof textSend> => textSend(target, 'x'.repeat(LIMITS.textBytes));
    const put = ({ messageId, content }: ReturnType<typeof textSend>) =>
      ann.http<{ code?: string; retryable?: boolean }>(
        ...(['PUT', `/v1/conversations/${group.id}/messages/${messageId}`] as const),
        { content },
      );
    const full = { code: 'spool_full', retryable: true };
    await answerTo(a, textSend(target, 'before'));
    await stack.kafka.stop();
    const held: string[] = [];
    /** Sends until no more is taken; how many were, and the frame that was not. */
    const fill = async (socket: TestSocket) => {
      const before = held.length;
      for (;;) {
        const frame = long();
        const answer = await answerTo(socket, frame);
        if (answer.type !== 'held') return { taken: held.length - before, frame, answer };
        held.push(frame.messageId);
      }
    };
    const sockets: TestSocket[] = [];
    for (const filler of fillers.slice(0, 7)) sockets.push(await filler.connect('gateway-1'));
    // each has a share of its own, and no more
    for (const socket of sockets) {
      const { taken, answer, frame } = await fill(socket);
      expect(answer).toMatchObject({ type: 'error', ...full });
      expect((taken + 2) * LIMITS.textBytes).toBeGreaterThan(SENDER_SHARE_BYTES * 0.9);
      expect(taken * LIMITS.textBytes).toBeLessThanOrEqual(SENDER_SHARE_BYTES);
      // there is room for it, but it comes after what was refused
      const behind = textSend(target, 'behind');
      expect(await answerTo(socket, behind)).toMatchObject(full);
      expect(await answerTo(socket, { ...frame, retry: true })).toMatchObject(full);
    }
    expect(held.length * LIMITS.textBytes).toBeLessThan(SPOOL_SHARE_BYTES * 0.9);
    for (const filler of fillers.slice(7)) sockets.push(await filler.connect('gateway-1'));
    for (const socket of sockets.slice(7)) await fill(socket);
    const { taken, frame: first, answer } = await fill(a);
    expect(taken * LIMITS.textBytes).toBeLessThan(SENDER_SHARE_BYTES / 2);
    const about = { messageId: first.messageId, conversationId: group.id };
    expect(answer).toMatchObject({ type: 'error', ...full, ...about });
    // it was full, and no fuller than it may be
    expect((held.length + 2) * LIMITS.textBytes).toBeGreaterThan(SPOOL_SHARE_BYTES * 0.9);
    expect(held.length * LIMITS.textBytes).toBeLessThanOrEqual(SPOOL_SHARE_BYTES);
    expect(await metric('gateway-1', 'spool_entries')).toBe(held.length);
    const bytes = await metric('gateway-1', 'spool_bytes');
    expect(bytes).toBeGreaterThan(held.length * LIMITS.textBytes);
    expect(bytes).toBeLessThanOrEqual(SPOOL_SHARE_BYTES);
    // there is room for it, but it comes after what was refused
    const small = textSend(target, 'behind');
    expect(await answerTo(a, small)).toMatchObject({ ...full, messageId: small.messageId });
    expect(await answerTo(a, { ...first, retry: true })).toMatchObject(full);
    const byHttp = long();
    const refused = await put(byHttp);
    expect([refused.status, refused.body]).toEqual([503, expect.objectContaining(full)]);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    expect(await metric('gateway-1', 'spool_entries')).toBe(held.length);

    await stack.kafka.restart();
    await eventually(() => {
      const sent = new Set([a, ...sockets].flatMap((socket) => answers(socket, 'sent')));
      expect(held.filter((id) => !sent.has(id))).toEqual([]);
    }, BACK_MS);
    for (const frame of [first, small]) {
      await eventually(async () => {
        const { type } = await answerTo(a, { ...frame, retry: true });
        expect(['held', 'sent']).toContain(type);
      }, BACK_MS);
      await answered(a, 'sent', [frame.messageId]);
    }
    await eventually(async () => expect((await put(byHttp)).status).toBe(200), BACK_MS);
    await spoolIsEmpty('gateway-1');
    const ids = [...held, first.messageId, small.messageId, byHttp.messageId];
    const seen = await eventually(async () => {
      const history = (await bob.history(group.id)).map((m) => m.messageId);
      expect(history).toContain(byHttp.messageId);
      return history.filter((id) => ids.includes(id));
    }, BACK_MS);
    expect(seen).toEqual(ids);
    await eventually(() => {
      const pushed = phone.of('message').map((f) => f['messageId'] as string);
      expect([...new Set(pushed)].filter((id) => ids.includes(id))).toEqual(ids);
    }, BACK_MS);
    await Promise.all([a, phone, ...sockets].map((socket) => socket.end()));
  }, 240_000);

  it('survive a kill of their gateway and a torn tail, and are one message when sent elsewhere too', async () => {
    const a = await ann.connect('gateway-1');
    const texts = ['left behind', 'sent on both', 'torn'];
    const frames = texts.map((text) => textSend({ conversationId: conversation.id }, text));
    const ids = frames.map((frame) => frame.messageId);
    await stack.kafka.stop();
    for (const frame of frames) a.send(frame);
    await answered(a, 'held', ids);

    a.send({ ...frames[0], retry: true });
    await eventually(() => expect(answers(a, 'held')).toHaveLength(4));
    a.send(textSend({ conversationId: conversation.id }, 'other words', ids[0]));
    expect(await a.next('error')).toMatchObject({ code: 'message_id_conflict', messageId: ids[0] });
    expect(await metric('gateway-1', 'spool_entries')).toBe(3);
    expect(await metric('gateway-1', 'spool_age_seconds')).toBeGreaterThan(0);
    expect((await fetch(`${stack.node('gateway-1').url}/health/ready`)).status).toBe(200);

    await stack.node('gateway-1').kill('SIGKILL');
    tearSpool('gateway-1');
    const elsewhere = new ChatUser([stack.gatewayUrls[1]!], ann.username);
    await elsewhere.login();
    const other = await elsewhere.connect('gateway-2');
    for (const frame of frames.slice(1)) other.send({ ...frame, retry: true });
    await answered(other, 'held', ids.slice(1));
    // started without Kafka it is not ready, and waits
    const restarted = stack.node('gateway-1').restart();
    const log = stack.node('gateway-1').logPath;
    await eventually(
      () => expect(logLines(log, 'no broker of Kafka answers')).toHaveLength(1),
      BACK_MS,
    );
    await stack.kafka.restart();
    await answered(other, 'sent', ids.slice(1));
    await restarted;
    expect(readFileSync(log, 'utf8')).toContain('torn or damaged end');
    await Promise.all(['gateway-1', 'gateway-2'].map(spoolIsEmpty));

    const stored = await eventually(async () => {
      const history = await bob.history(conversation.id);
      const found = history.filter((m) => ids.includes(m.messageId));
      expect(found).toHaveLength(3);
      return found;
    }, BACK_MS);
    expect(stored.map((m) => m.messageId).sort()).toEqual([...ids].sort());
    for (const frame of frames) {
      const at = other.frames.length;
      other.send({ ...frame, retry: true });
      const sent = await other.find(
        (f) =>
          other.frames.indexOf(f) >= at && f.type === 'sent' && f['messageId'] === frame.messageId,
        BACK_MS,
      );
      const place = stored.find((m) => m.messageId === frame.messageId)!.position;
      expect(sent['position']).toBe(place);
    }
    await other.end();
  }, 180_000);

  /** Cuts the last bytes off the newest spool file of a node, as a power cut may. */
  function tearSpool(gateway: string): void {
    const root = join(stack.dir, 'nodes', gateway, 'spool');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.spool'))
      .sort();
    const path = join(root, files.at(-1)!);
    truncateSync(path, statSync(path).size - 5);
  }
});
