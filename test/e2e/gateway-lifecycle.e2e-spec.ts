import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Conversation } from '@tidings/protocol/http';
import { KEYS } from '@tidings/common/redis/keys';
import { childEnvironment, entryFile } from '../../tools/stack/service-node';
import { projectRoot } from '../../tools/stack/paths';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { UpgradeRefused, openSocket, type TestSocket } from '../support/test-socket';
import { logLines } from '../support/service-report';
import { startTestStack, TEST_DIST } from '../support/test-stack';

describe('a gateway keeps its clients through faults', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let conversation: Conversation;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    ann = await ChatUser.create(stack.gatewayUrls);
    bob = await ChatUser.create(stack.gatewayUrls);
    conversation = await ann.direct(bob);
  }, 240_000);
  afterAll(() => stop?.());

  /** Sends one message and waits for `sent`; gives its id. */
  async function say(socket: TestSocket, text: string): Promise<string> {
    const frame = textSend({ conversationId: conversation.id }, text);
    socket.send(frame);
    const answer = await socket.find(
      (f) => f['messageId'] === frame.messageId && f.type !== 'message',
      15_000,
    );
    expect(answer.type).toBe('sent');
    return frame.messageId;
  }

  const pushed = (socket: TestSocket, id: string) =>
    socket.find((f) => f.type === 'message' && f['messageId'] === id, 15_000);

  it('lets connected users send while Redis hangs, refuses connects, and delivers again after', async () => {
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const unused = await bob.onNewDevice(0);
    const { ticket, url } = await unused.ticket('gateway-1');
    stack.redis.signal('SIGSTOP');
    try {
      for (let i = 0; i < 5; i++) await say(a, `no redis ${i}`);
      const refused = await ann.http('POST', '/v1/connections', { deviceId: ann.deviceId });
      expect([refused.status, refused.body.code]).toEqual([503, 'unavailable']);
      expect(refused.headers.get('retry-after')).not.toBeNull();
      await expect(openSocket(url, ticket)).rejects.toEqual(new UpgradeRefused(503));
      // long enough for everybody to give the connection up
      await new Promise((resolve) => setTimeout(resolve, 2_500));
    } finally {
      stack.redis.signal('SIGCONT');
    }
    for (const socket of [a, b]) await socket.next('resync', 20_000);
    await pushed(b, await say(a, 'redis is back'));
    expect([a.closed, b.closed]).toEqual([null, null]);
    await Promise.all([a.end(), b.end()]);
  });

  it('writes its routes anew when Redis comes back empty', async () => {
    // the test before took Redis away: a gateway is offered again with its next announcement
    const a = await eventually(() => ann.connect('gateway-1'));
    const b = await eventually(() => bob.connect('gateway-2'));
    await pushed(b, await say(a, 'before'));
    await stack.redis.restartEmpty();
    for (const socket of [a, b]) await socket.next('resync', 20_000);
    await pushed(b, await say(a, 'after'));
    const other = await bob.onNewDevice(0);
    const late = await eventually(() => other.connect('gateway-1'));
    await pushed(late, await say(b, 'to all devices'));
    expect([a.closed, b.closed]).toEqual([null, null]);
    await Promise.all([a.end(), b.end(), late.end()]);
  });

  it('answers from storage alone what may have been sent before', async () => {
    const a = await ann.connect('gateway-1');
    const frame = textSend({ conversationId: conversation.id }, 'with storage away');
    stack.node('storage-1').signal('SIGSTOP');
    try {
      await say(a, 'storage is away');
      a.send({ ...frame, retry: true });
      a.send({ type: 'ping', ref: 'behind it' });
      await a.find((f) => f.type === 'pong' && f['ref'] === 'behind it', 5_000);
      expect(
        a.frames.filter((f) => f['messageId'] === frame.messageId && f.type === 'sent'),
      ).toEqual([]);
    } finally {
      stack.node('storage-1').signal('SIGCONT');
    }
    const sent = await a.find(
      (f) => f.type === 'sent' && f['messageId'] === frame.messageId,
      15_000,
    );
    a.send({ ...frame, retry: true });
    const again = await eventually(() => {
      const all = a.frames.filter((f) => f.type === 'sent' && f['messageId'] === frame.messageId);
      expect(all).toHaveLength(2);
      return all[1]!;
    });
    expect(again['position']).toBe(sent['position']);
    await a.end();
  });

  it('closes a reader that is too slow with 4008 or cuts it, and nobody else notices', async () => {
    const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
    const patient = await (await bob.onNewDevice(1)).connect('gateway-2');
    const metrics = async () => (await fetch(`${stack.node('gateway-2').url}/metrics`)).text();
    b.raw.pause();
    const text = 'x'.repeat(16_000);
    let ended = false;
    for (let i = 0; i < 2_000 && !ended; i++) {
      await say(a, text);
      if (i % 50 === 0) ended = /connections_closed_total\{[^}]*code="4008"/.test(await metrics());
    }
    expect(ended).toBe(true);
    b.raw.resume();
    await b.close();
    await pushed(patient, await say(a, 'still here'));
    await Promise.all([a.end(), patient.end()]);
  });

  /** Starts another process under a gateway's id. */
  function startTwin(gateway: string, more: Record<string, string> = {}) {
    const env = childEnvironment({
      NODE_ID: gateway,
      PORT: '0',
      KAFKA_BROKERS: stack.brokers,
      REDIS_URL: stack.redisUrl,
      STORAGE_URLS: stack.node('storage-1').url,
      PRESENCE_URLS: stack.node('presence-1').url,
      JWT_SECRET: stack.jwtSecret,
      CLUSTER_SECRET: stack.clusterSecret,
      ...more,
    });
    const entry = entryFile(TEST_DIST ?? `${projectRoot()}/dist`, 'gateway');
    return spawn(process.execPath, [entry], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  }

  it('will not start beside a gateway of the same id', async () => {
    const twin = startTwin('gateway-1');
    let log = '';
    twin.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const [code] = (await once(twin, 'exit')) as [number];
    expect(code).toBe(1);
    expect(log).toContain('The gateway id gateway-1 is in use by another process');
    expect(log).toContain('another NODE_ID');
  });

  it('gives way to who took its id while it hung', async () => {
    const redis = new Redis(stack.redisUrl);
    const holder = () => redis.get(KEYS.lease('gateway-2'));
    const gateway = stack.node('gateway-2');
    const waits = () => logLines(gateway.logPath, 'waiting for the lease of the gateway id').length;
    const waitedBefore = waits();
    gateway.signal('SIGSTOP');
    const twin = startTwin('gateway-2', { DATA_DIR: join(stack.dir, 'nodes', 'twin') });
    twin.stdout.resume();
    try {
      const before = await holder();
      const taken = await eventually(async () => {
        const now = await holder();
        expect([before, null]).not.toContain(now);
        return now;
      }, 30_000);
      gateway.signal('SIGCONT');
      // until it has noticed, and asks for the id again
      while (waits() === waitedBefore) {
        expect(await holder()).toBe(taken);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await eventually(() => expect(gateway.isAlive()).toBe(false), 40_000);
      expect(await holder()).toBe(taken);
    } finally {
      gateway.signal('SIGCONT');
      twin.kill('SIGKILL');
      redis.disconnect();
    }
    await gateway.restart();
  });

  it('sends its clients elsewhere when it stops', async () => {
    const a = await ann.connect('gateway-1');
    const frame = textSend({ conversationId: conversation.id }, 'last words');
    const stopped = stack.node('gateway-1').stop();
    const goodbye = await a.next('goodbye');
    expect(goodbye).toMatchObject({
      reason: 'draining',
      reconnect: true,
      afterMs: expect.any(Number),
      gateways: [expect.objectContaining({ id: 'gateway-2' })],
    });
    a.send(frame);
    await a.find((f) => f.type === 'sent' && f['messageId'] === frame.messageId);
    const later = new ChatUser([stack.gatewayUrls[1]!], ann.username);
    await later.login();
    expect((await later.ticket()).gatewayId).toBe('gateway-2');
    expect((await a.close()).code).toBe(4000);
    await stopped;
    await stack.node('gateway-1').restart();
  });
});
