import type { Conversation } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Holding } from '../support/holding';
import { openSocket, UpgradeRefused, type TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';

const PAUSE_MS = 50;
/** Longer than a gateway's lease. */
const DOWN_MS = 10_000;
const BACK_MS = 60_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('while Redis is down', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let conversations: Conversation[];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    const cai = await ChatUser.create(stack.gatewayUrls);
    conversations = [await ann.direct(bob), await ann.direct(cai)];
  }, 240_000);
  afterAll(() => stop?.());

  const sentIds = (socket: TestSocket) => socket.of('sent').map((f) => f['messageId'] as string);

  it('connected users go on sending, connects get 503, and pushes come when it is back', async () => {
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const others = [
      await (await ann.onNewDevice()).connect('gateway-2'),
      await (await bob.onNewDevice(0)).connect('gateway-1'),
    ];
    const all = [a, b, ...others];
    const views = all.map((socket) => {
      const view = new Holding();
      socket.onFrame = (frame) => view.take(frame);
      return view;
    });
    const syncAll = () => Promise.all(all.map((socket, i) => views[i]!.sync(socket)));
    await syncAll();
    const early = await bob.onNewDevice(0);
    const { ticket, url } = await early.ticket('gateway-1');
    const ids: string[] = [];
    const sendOne = (): void => {
      const frame = textSend({ conversationId: conversations[0]!.id }, `line ${ids.length}`);
      ids.push(frame.messageId);
      a.send(frame);
    };
    const timer = setInterval(sendOne, PAUSE_MS);
    try {
      await sleep(1_000);
      await stack.redis.kill();
      const began = ids.length;
      // a conversation that the gateway has not in memory: storage says who is a member
      const cold = textSend({ conversationId: conversations[1]!.id }, 'cold');
      a.send(cold);
      await a.find((f) => f.type === 'sent' && f['messageId'] === cold.messageId, 20_000);

      const refused = await ann.http('POST', '/v1/connections', { deviceId: ann.deviceId });
      expect([refused.status, refused.body.code]).toEqual([503, 'unavailable']);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      await expect(openSocket(url, ticket)).rejects.toEqual(new UpgradeRefused(503));
      expect(await (await fetch(`${stack.node('gateway-1').url}/metrics`)).text()).toMatch(
        /^tidings_http_errors_total\{method="GET",route="\/v1\/ws",code="unavailable".*\} 1$/m,
      );
      const path = `/v1/conversations/${conversations[0]!.id}/messages?limit=1`;
      expect((await ann.http('GET', path)).status).toBe(200);

      await sleep(DOWN_MS);
      // while it is still down: what was sent until a moment ago is acknowledged
      const meanwhile = ids.slice(began);
      expect(meanwhile.length).toBeGreaterThan((DOWN_MS / PAUSE_MS) * 0.5);
      await eventually(() => {
        const sent = new Set(sentIds(a));
        expect(meanwhile.filter((id) => !sent.has(id))).toEqual([]);
      }, 10_000);
      expect(all.map((socket) => socket.closed)).toEqual([null, null, null, null]);
      expect(all.flatMap((socket) => socket.of('error'))).toEqual([]);
      await stack.redis.restart();
      await sleep(2_000);
    } finally {
      clearInterval(timer);
    }
    await eventually(() => expect(sentIds(a)).toEqual(expect.arrayContaining(ids)), BACK_MS);
    for (const socket of all) await socket.next('resync', BACK_MS);
    sendOne();
    const live = ids.at(-1)!;
    for (const socket of [b, ...others]) {
      await socket.find((f) => f.type === 'message' && f['messageId'] === live, BACK_MS);
    }
    await syncAll();

    const history = (await ann.history(conversations[0]!.id)).filter(
      (m) => m.content.kind === 'text',
    );
    expect(history.map((m) => m.messageId)).toEqual(ids);
    for (const view of views) {
      const held = view.ordered(conversations[0]!.id).map((m) => m.messageId);
      expect(held.filter((id) => ids.includes(id))).toEqual(ids);
    }
    expect(all.map((socket) => socket.closed)).toEqual([null, null, null, null]);
    const again = await eventually(() => early.connect('gateway-1'), BACK_MS);
    await Promise.all([...all, again].map((socket) => socket.end()));
  }, 180_000);
});
