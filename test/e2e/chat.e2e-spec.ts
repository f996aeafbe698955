import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { uuidv7 } from 'uuidv7';
import type { Contact, Conversation, Page, Presence, User } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Holding } from '../support/holding';
import { answerTo } from '../support/sends';
import { postGroup } from '../support/talk';
import { TcpProxy } from '../support/tcp-proxy';
import { startTestStack } from '../support/test-stack';
import { openSocket, type TestSocket } from '../support/test-socket';

/** So long that what a busy machine takes to notice is little of it. */
const HEARTBEAT_SECONDS = 5;
/** A user is last seen when the gateway notices the end of the socket: not much later than it. */
const LAST_SEEN_STEP_MS = 1_000;

describe('two people chat through two gateways', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      env: { HEARTBEAT_SECONDS: String(HEARTBEAT_SECONDS), PRESENCE_GRACE_SECONDS: '1' },
    }));
    ann = await ChatUser.create(stack.gatewayUrls, { at: 0 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
  }, 240_000);
  afterAll(() => stop?.());

  it('sends to a user, creates the conversation, and both see the same entries in order', async () => {
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const frame = textSend({ to: bob.id }, 'hello');
    a.send(frame);
    const sent = await a.next('sent');
    expect(sent['messageId']).toBe(frame.messageId);
    const got = await b.next('message');
    expect(got).toMatchObject({
      conversationId: sent['conversationId'],
      messageId: frame.messageId,
      position: sent['position'],
      senderId: ann.id,
      content: { kind: 'text', text: 'hello' },
      version: '0',
    });
    // the chain: the creation first, then the message, on every device of both
    for (const socket of [a, b]) {
      const created = await socket.find((f) => f.type === 'conversation');
      expect(created).toMatchObject({ previous: '0', change: { kind: 'created' } });
      const message = await socket.find((f) => f.type === 'message');
      expect(message['previous']).toBe(created['position']);
    }
    b.send(textSend({ conversationId: sent['conversationId'] as string }, 'hello yourself'));
    await b.next('sent');
    await a.find((f) => f['senderId'] === bob.id && f.type === 'message');
    const history = await bob.history(sent['conversationId'] as string);
    expect(
      history.map((m) => (m.content.kind === 'text' ? m.content.text : m.content.kind)),
    ).toEqual(['event', 'hello', 'hello yourself']);
    await Promise.all([a.end(), b.end()]);
  });

  it('keeps the order of a burst from one socket', async () => {
    const conversation = await ann.direct(bob);
    const a = await ann.connect('gateway-1');
    const b = await bob.connect('gateway-2');
    const texts = Array.from({ length: 90 }, (_, i) => `line ${i}`);
    for (const text of texts) a.send(textSend({ conversationId: conversation.id }, text));
    await eventually(() => expect(a.of('sent')).toHaveLength(texts.length));
    await eventually(() => expect(b.of('message')).toHaveLength(texts.length));
    const seen = b.of('message').map((f) => (f['content'] as { text: string }).text);
    expect(seen).toEqual(texts);
    await Promise.all([a.end(), b.end()]);
  });

  it('says pending when the receiver is away, who later has it once and in order', async () => {
    const carol = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    const conversation = await ann.direct(carol);
    const first = await carol.connect('gateway-2');
    await first.end();
    const a = await ann.connect('gateway-1');
    const frames = ['one', 'two', 'three'].map((text) =>
      textSend({ conversationId: conversation.id }, text),
    );
    for (const frame of frames) a.send(frame);
    for (const frame of frames) {
      const pending = await a.find(
        (f) => f.type === 'pending' && f['messageId'] === frame.messageId,
      );
      expect(pending['offline']).toEqual([carol.id]);
    }
    const c = await carol.connect('gateway-1');
    const holding = new Holding();
    c.onFrame = (frame) => holding.take(frame);
    c.frames.forEach((frame) => holding.take(frame));
    await holding.sync(c);
    expect(holding.texts(conversation.id).slice(1)).toEqual(['one', 'two', 'three']);
    expect(holding.shown.filter((s) => s.conversationId === conversation.id)).toHaveLength(4);
    await Promise.all([a.end(), c.end()]);
  });

  it('pushes to a device at once when it is back', async () => {
    const dan = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    const a = await ann.connect('gateway-1');
    const { id } = await ann.direct(dan);
    const away = textSend({ conversationId: id }, 'are you there?');
    a.send(away);
    // session has looked for him, and found nobody
    await a.find((f) => f.type === 'pending' && f['messageId'] === away.messageId);
    const d = await dan.connect('gateway-2');
    const { position } = await answerTo(a, textSend({ conversationId: id }, 'there you are'));
    await eventually(() => {
      expect(d.of('message').map((f) => f['position'])).toContain(position);
    });
    await Promise.all([a.end(), d.end()]);
  });

  it('lists conversations with unread and the last message, own messages never unread', async () => {
    const dora = await ChatUser.create(stack.gatewayUrls);
    const conversation = await ann.direct(dora);
    const a = await ann.connect('gateway-1');
    for (const text of ['x', 'y']) a.send(textSend({ conversationId: conversation.id }, text));
    await eventually(() => expect(a.of('sent')).toHaveLength(2));
    const list = async (user: ChatUser): Promise<Conversation> => {
      const answer = await user.http<Page<Conversation>>('GET', '/v1/conversations');
      return answer.body.items[0]!;
    };
    await eventually(async () => {
      expect(await list(dora)).toMatchObject({ id: conversation.id, unread: 2, memberCount: 2 });
    });
    expect(await list(ann)).toMatchObject({
      unread: 0,
      lastMessage: { content: { kind: 'text', text: 'y' } },
    });
    await a.end();
  });

  it('finds people and keeps contacts, also those who have you', async () => {
    const eve = await ChatUser.create(stack.gatewayUrls, { name: `eve${Date.now()}` });
    const found = await ann.http<Page<User>>('GET', `/v1/users?query=${eve.username}`);
    expect(found.body.items.map((u) => u.id)).toEqual([eve.id]);
    expect(found.body.items[0]).not.toHaveProperty('email');
    await ann.http('PUT', `/v1/contacts/${eve.id}`);
    const incoming = await eve.http<Page<User>>('GET', '/v1/contacts/incoming');
    expect(incoming.body.items.map((u) => u.id)).toEqual([ann.id]);
    const added = await eve.http<Contact>('PUT', `/v1/contacts/${ann.id}`);
    expect(added.body).toMatchObject({ user: { id: ann.id }, mutual: true });
    await eve.http('DELETE', `/v1/contacts/${ann.id}`);
    const list = await eve.http<Page<Contact>>('GET', '/v1/contacts');
    expect(list.body.items).toEqual([]);
  });

  it('tells online and last seen', async () => {
    const fred = await ChatUser.create(stack.gatewayUrls);
    const look = async (): Promise<Presence> => {
      const answer = await ann.http<Page<Presence>>('GET', `/v1/presence?userIds=${fred.id}`);
      return answer.body.items[0]!;
    };
    expect(await look()).toMatchObject({ status: 'offline', lastSeenAt: null });
    const socket = await fred.connect();
    await eventually(async () => expect(await look()).toMatchObject({ status: 'online' }));
    const before = Date.now();
    await socket.end();
    const ended = Date.now() + LAST_SEEN_STEP_MS;
    await eventually(async () => {
      const presence = await look();
      expect(presence.status).toBe('offline');
      const lastSeenAt = Date.parse(presence.lastSeenAt!);
      expect(lastSeenAt).toBeGreaterThanOrEqual(before - 1000);
      // the tests and the services have one clock
      expect(lastSeenAt).toBeLessThanOrEqual(ended);
    });
  });

  it('names a conversation by the hash of its time, its users and its request', async () => {
    const frank = await ChatUser.create(stack.gatewayUrls);
    const hashOf = ({ createdAt }: Conversation, requestId: string): string => {
      const users = [ann.id, frank.id].sort().join(',');
      const text = `${Date.parse(createdAt)}\n${users}\n${requestId}`;
      return createHash('sha256').update(text).digest('base64url');
    };
    const [began, direct] = [Date.now(), await ann.direct(frank)];
    expect(Date.parse(direct.createdAt)).toBeGreaterThanOrEqual(began);
    expect(Date.parse(direct.createdAt)).toBeLessThanOrEqual(Date.now());
    expect(direct.id).toBe(hashOf(direct, ''));
    const requestId = uuidv7();
    const { status, body: group } = await postGroup(ann, [frank.id], { requestId });
    expect([status, group.id]).toEqual([201, hashOf(group, requestId)]);
    // whoever asks is told the same time
    const seen = await frank.http<Conversation>('GET', `/v1/conversations/${group.id}`);
    expect(hashOf(seen.body, requestId)).toBe(group.id);
  });

  it('closes the older socket of a device with 4506', async () => {
    const older = await bob.connect('gateway-1');
    const newer = await bob.connect('gateway-2');
    expect((await older.close()).code).toBe(4506);
    await newer.end();
  });

  it('resumes on the other gateway with the resume ticket, once', async () => {
    const socket = await bob.connect('gateway-1');
    const { resumeTicket } = socket.of('welcome')[0] as unknown as { resumeTicket: string };
    socket.cut();
    const { url } = await bob.ticket('gateway-2');
    const resumed = await openSocket(url, resumeTicket);
    expect(await resumed.next('welcome')).toMatchObject({ userId: bob.id, gatewayId: 'gateway-2' });
    await expect(openSocket(url, resumeTicket)).rejects.toMatchObject({ status: 401 });
    await resumed.end();
  });

  describe('a peer that falls silent', () => {
    const SILENCES = ['SIGSTOP', 'black hole'] as const;
    const gone = new Map<string, { shown: number; ended: number }>();
    const proxies: TcpProxy[] = [];
    let stopped: ChildProcess;
    let hidden: TestSocket;

    /** Silences a user's peer; when he is shown as away and when his connection is ended, in heartbeats. */
    async function fallSilent(user: ChatUser, proxy: TcpProxy, silence: () => void) {
      const status = async (): Promise<string> => {
        const path = `/v1/presence?userIds=${user.id}`;
        return (await bob.http<Page<Presence>>('GET', path)).body.items[0]!.status;
      };
      await eventually(async () => expect(await status()).toBe('online'));
      const since = performance.now();
      silence();
      const heartbeatMs = HEARTBEAT_SECONDS * 1000;
      const at = (check: () => Promise<void>): Promise<number> =>
        eventually(
          async () => {
            await check();
            return (performance.now() - since) / heartbeatMs;
          },
          heartbeatMs * 4,
          50,
        );
      const [shown, ended] = await Promise.all([
        at(async () => expect(await status()).toBe('offline')),
        at(async () => expect(proxy.connections).toBe(0)),
      ]);
      return { shown, ended };
    }

    /** A fresh user's ticket, and a proxy before the gateway that it is for. */
    async function door() {
      const user = await ChatUser.create(stack.gatewayUrls);
      const { ticket, url } = await user.ticket('gateway-1');
      const { port } = new URL(url);
      const proxy = await TcpProxy.start({ target: { port: Number(port) } });
      proxies.push(proxy);
      return { user, proxy, ticket, url: url.replace(`:${port}`, `:${proxy.port}`) };
    }

    async function stoppedPeer() {
      const { user, proxy, ticket, url } = await door();
      const script = `
        const WebSocket = require('ws');
        const s = new WebSocket(${JSON.stringify(url)}, ['tidings.v1.json', 'ticket.${ticket}']);
        s.on('message', () => process.stdout.write('up'));
      `;
      stopped = spawn(process.execPath, ['-e', script], {
        cwd: join(__dirname, '../..'),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(stopped.stdout!, 'data');
      return fallSilent(user, proxy, () => stopped.kill('SIGSTOP'));
    }

    async function hiddenPeer() {
      const { user, proxy, ticket, url } = await door();
      hidden = await openSocket(url, ticket);
      await hidden.next('welcome');
      return fallSilent(user, proxy, () => {
        proxy.toServer.blackhole = true;
        proxy.toClient.blackhole = true;
      });
    }

    // both at once: each takes two heartbeats and more
    beforeAll(async () => {
      const ends = await Promise.all([stoppedPeer(), hiddenPeer()]);
      SILENCES.forEach((silence, i) => gone.set(silence, ends[i]!));
    });
    afterAll(async () => {
      stopped?.kill('SIGKILL');
      hidden?.cut();
      await Promise.all(proxies.map((proxy) => proxy.stop()));
    });

    function expectInTime(silence: (typeof SILENCES)[number]): void {
      const { shown, ended } = gone.get(silence)!;
      for (const heartbeats of [shown, ended]) {
        // it has answered within the last heartbeat, and two of silence are allowed
        expect(heartbeats).toBeGreaterThan(1);
        expect(heartbeats).toBeLessThan(2.5);
      }
    }

    it('closes a stopped peer within 2.5 heartbeats', () => expectInTime('SIGSTOP'));

    it('closes a peer behind a black hole within 2.5 heartbeats', () => expectInTime('black hole'));

    it('closes them because they were silent', async () => {
      const page = await (await fetch(`${stack.node('gateway-1').url}/metrics`)).text();
      expect(page).toMatch(/^tidings_connections_closed_total\{[^}]*code="4001"[^}]*\} 2$/m);
    });
  });
});
