import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { uuidv7 } from 'uuidv7';
import type { Broadcast } from '@tidings/protocol/broadcasts';
import type { Message } from '@tidings/protocol/content';
import type { SyncedConversation } from '@tidings/protocol/frames';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import { isAdminCall, type AdminSession, type AdminUser } from '@tidings/protocol/admin';
import type { MediaUrlAnswer } from '@tidings/protocol/http';
import { CALL_RATES, FRAME_RATES } from '@tidings/protocol/limits';
import { nodeClient } from '@tidings/sdk/node';
import { freePorts } from '../../tools/stack/ports';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { CliProcess } from '../support/cli-process';
import { eventually } from '../support/eventually';
import { CALLS } from '../support/outsider-tables';
import { Program } from '../support/program';
import { answerTo, pushOf } from '../support/sends';
import { logLines } from '../support/service-report';
import { openSocket, type TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';
import { smallPng, upload } from '../support/uploads';

/** Calls that are made without a login, or with something else than a token. */
const OPEN = ['GET /v1', 'POST /v1/users', 'POST /v1/auth/login', 'POST /v1/auth/refresh'];
/** Of one user: a device each, with a free one beside. */
const SOCKETS = 8;
/** The documented grace of what gateways remember, and how soon a renewal comes; milliseconds. */
const GRACE_MS = 1_000;
const RENEWAL_MS = 25_000;

describe('roles and disabled accounts, on two gateways', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let admin: string[];
  let homes: string;
  let sql: Client;

  beforeAll(async () => {
    homes = mkdtempSync(join(tmpdir(), 'tidings-roles-'));
    const ports = await freePorts(2);
    admin = ports.map((port) => `http://127.0.0.1:${port}`);
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 1, presence: 1, storage: 2 },
      nodeEnv: {
        'gateway-1': { ADMIN_PORT: String(ports[0]) },
        'gateway-2': { ADMIN_PORT: String(ports[1]) },
      },
    }));
    sql = new Client({ connectionString: stack.databaseUrl });
    await sql.connect();
  }, 240_000);
  afterAll(async () => {
    await sql?.end();
    rmSync(homes, { recursive: true, force: true });
    await stop?.();
  });

  const create = () => ChatUser.create(stack.gatewayUrls);
  /** `npm run admin -- …`: exit status and what it printed. */
  const command = async (...args: string[]): Promise<[number | null, string]> => {
    const storages = Object.values(stack.nodes).filter(({ service }) => service === 'storage');
    const env = {
      STORAGE_URLS: storages.map(({ url }) => url).join(','),
      CLUSTER_SECRET: stack.clusterSecret,
    };
    const program = new Program(join('tools', 'admin', 'main.js'), { args, env });
    const status = await program.ended;
    return [status, program.lines.join('\n') + program.errors];
  };
  const operator = async (): Promise<ChatUser> => {
    const user = await create();
    expect(await command('grant', user.username, 'operator')).toEqual([
      0,
      `${user.username} is now operator.`,
    ]);
    return user;
  };
  /** A call on the admin listener of a gateway. */
  const act = <T = { code: string }>(
    by: ChatUser,
    method: string,
    path: string,
    body?: unknown,
    gateway = 1,
  ) => by.http<T>(method, `/v1/admin/${path}`, body, { base: admin[gateway - 1]! });
  const code = async (call: Promise<{ status: number; body?: unknown }>): Promise<string> => {
    const { status, body } = await call;
    return status < 300 ? 'ok' : (body as { code: string }).code;
  };
  const login = (user: ChatUser, password = ChatUser.PASSWORD) =>
    user.http('POST', '/v1/auth/login', { username: user.username, password }, { token: null });
  const refresh = ({ refreshToken, bases }: ChatUser) =>
    new ChatUser(bases, 'x').http('POST', '/v1/auth/refresh', { refreshToken }, { token: null });
  const refused = (gateway: string): number =>
    logLines(stack.node(gateway).logPath, 'security').filter((l) => l['event'] === 'admin_refused')
      .length;

  it('a broadcast reaches everybody who was there, once each, and nobody who came later', async () => {
    const [ann, bob, cat, eve] = [await create(), await create(), await create(), await create()];
    const write = (by: ChatUser, text: string, messageId = uuidv7(), gateway = 1) =>
      by.http<Broadcast & { code?: string }>(
        'POST',
        '/v1/broadcasts',
        { messageId, content: { kind: 'text', text } },
        { base: stack.gatewayUrls[gateway - 1]! },
      );
    const synced = async (user: ChatUser, gateway: string) => {
      const socket = await user.connect(gateway);
      socket.send({ type: 'sync', ref: 'first' });
      const answer = await socket.next('synced');
      return { socket, conversations: answer['conversations'] as SyncedConversation[] };
    };
    const pushes = (socket: TestSocket, messageId: string) =>
      socket.of('message').filter((f) => f['messageId'] === messageId).length;
    const there = [
      await synced(ann, 'gateway-1'),
      await synced(bob, 'gateway-2'),
      await synced(cat, 'gateway-1'),
    ];
    const [first, second] = [uuidv7(), uuidv7()];
    expect(await code(write(ann, 'may I?'))).toBe('forbidden');
    await command('grant', ann.username, 'broadcaster');
    const made = await write(ann, 'to all', first);
    expect([made.status, made.body]).toEqual([
      200,
      { messageId: first, state: 'sent', audience: 4, delivered: 0, pending: 4 },
    ]);
    expect((await write(ann, 'to all', first, 2)).body.state).toBe('sent');
    expect(await code(write(ann, 'something else', first))).toBe('message_id_conflict');
    const late = await create();
    const { position } = (await pushOf(there[0]!.socket, first)) as unknown as Message;
    await Promise.all(there.map(({ socket }) => pushOf(socket, first)));
    const [away, later] = [await synced(eve, 'gateway-2'), await synced(late, 'gateway-1')];
    expect(away.conversations).toMatchObject([
      { conversationId: EVERYONE_ID, state: 'new', messages: [{ messageId: first }] },
    ]);
    expect(later.conversations).toEqual([]);
    const none = await late.http('GET', `/v1/conversations/${EVERYONE_ID}/messages`);
    expect(none.body.code).toBe('no_such_conversation');

    const all = [...there, away, later].map(({ socket }) => socket);
    expect((await write(ann, 'and again', second, 2)).body).toMatchObject({ audience: 5 });
    await Promise.all(all.map((socket) => pushOf(socket, second)));
    expect(all.map((socket) => [pushes(socket, first), pushes(socket, second)])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [0, 1],
      [0, 1],
    ]);

    const state = async (id: string) =>
      (await ann.http<Broadcast>('GET', `/v1/broadcasts/${id}`)).body;
    for (const socket of all.slice(0, 2)) {
      socket.send({ type: 'received', conversationId: EVERYONE_ID, position });
    }
    await eventually(async () => expect((await state(first)).delivered).toBe(2));
    expect(await state(first)).toMatchObject({ audience: 4, pending: 2 });
    for (const socket of all) {
      socket.send({ type: 'read', conversationId: EVERYONE_ID, position });
    }
    await eventually(async () =>
      expect(await state(first)).toMatchObject({ audience: 4, delivered: 4, pending: 0 }),
    );
    const marks = `/v1/conversations/${EVERYONE_ID}/receipts`;
    const own = await bob.http<{ items: { userId: string }[] }>('GET', marks);
    expect(own.body.items.map(({ userId }) => userId)).toEqual([bob.id]);
    expect(all.flatMap((socket) => socket.of('receipt'))).toEqual([]);

    // nobody else writes there, nor does a broadcaster by other ways
    for (const socket of [all[0]!, all[1]!]) {
      const said = textSend({ conversationId: EVERYONE_ID }, 'me too');
      expect(await answerTo(socket, said)).toMatchObject({ type: 'error', code: 'not_allowed' });
      const changeId = uuidv7();
      socket.send({ type: 'delete', changeId, messageId: first, conversationId: EVERYONE_ID });
      await socket.find((f) => f['ref'] === changeId && f['code'] === 'not_allowed');
    }
    for (const [path, how] of [
      ['members', 'GET'],
      [`messages/${uuidv7()}`, 'PUT'],
    ] as const) {
      const body = how === 'PUT' ? { content: { kind: 'text', text: 'me too' } } : undefined;
      const answer = await bob.http(how, `/v1/conversations/${EVERYONE_ID}/${path}`, body);
      expect([path, answer.status]).toEqual([path, how === 'PUT' ? 403 : 404]);
    }

    for (let n = 3; n <= 6; n++) expect(await code(write(ann, `${n}`))).toBe('ok');
    const over = await write(ann, 'one too many', uuidv7(), 2);
    expect([over.status, over.body.code]).toEqual([429, 'rate_limited']);
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(60);
    const gone = `/v1/broadcasts/${first}`;
    expect((await bob.http('DELETE', gone)).status).toBe(403);
    expect((await ann.http('DELETE', gone)).status).toBe(204);
    for (const socket of all.slice(0, 4)) {
      await socket.find((f) => f.type === 'changed' && f['messageId'] === first);
    }
    const seen = await eve.history(EVERYONE_ID);
    expect(
      seen.map(({ content }) => (content.kind === 'text' ? content.text : content.kind)),
    ).toEqual(['deleted', 'and again', '3', '4', '5', '6']);
    expect((await late.history(EVERYONE_ID)).map((m) => m.messageId)).not.toContain(first);
    await eventually(() => {
      const noted = Object.values(stack.nodes)
        .filter(({ service }) => service === 'storage')
        .flatMap(({ logPath }) => logLines(logPath, 'security'))
        .filter((line) => line['event'] === 'broadcast_refused');
      expect(new Set(noted.map((line) => line['userId']))).toEqual(new Set([ann.id, bob.id]));
    });
    await command('revoke', ann.username, 'broadcaster');
    expect(await code(write(ann, 'no more'))).toBe('forbidden');
    await Promise.all(all.map((socket) => socket.end()));
  });

  it('the first operator is made by the command, the others by operators; the last one stays', async () => {
    const bob = await create();
    const ann = await operator();
    expect(await code(act(ann, 'PUT', `users/${bob.id}/roles/broadcaster`))).toBe('ok');
    expect(await code(act(ann, 'PUT', `users/${bob.id}/roles/operator`, undefined, 2))).toBe('ok');
    const { body } = await act<{ items: AdminUser[] }>(bob, 'GET', 'roles');
    expect(body.items.map(({ username, roles }) => [username, roles])).toEqual(
      [
        [ann.username, ['operator']],
        [bob.username, ['broadcaster', 'operator']],
      ].sort(),
    );
    const [, listed] = await command('roles');
    expect(listed).toContain(`${bob.username}  broadcaster, operator`);
    expect(await code(act(bob, 'DELETE', `users/${ann.id}/roles/operator`))).toBe('ok');
    expect(await code(act(ann, 'GET', 'roles'))).toBe('forbidden');
    expect(await code(act(bob, 'DELETE', `users/${bob.id}/roles/operator`))).toBe('not_allowed');
    expect(await code(act(bob, 'POST', `users/${bob.id}/disable`))).toBe('not_allowed');
    expect(await command('revoke', bob.username, 'operator')).toEqual([
      1,
      'This is the last operator: make another one first.\n',
    ]);
    expect(await command('disable', 'nobody-of-this-name')).toEqual([
      1,
      'There is no account named nobody-of-this-name, or it has no such device.\n',
    ]);
    const { rows } = await sql.query<{ action: string; origin: string; detail: object }>(
      `SELECT action, origin, detail FROM audit WHERE actor = $1 AND subject = $2 ORDER BY id`,
      [ann.id, bob.id],
    );
    expect(rows).toEqual(
      ['broadcaster', 'operator'].map((role) => ({
        action: 'grant',
        origin: '127.0.0.1',
        detail: { role },
      })),
    );
    const byCommand = await sql.query<{ origin: string }>(
      'SELECT origin FROM audit WHERE actor IS NULL AND subject = $1',
      [ann.id],
    );
    expect(byCommand.rows[0]!.origin).toMatch(/^command \S+@\S+$/);
  });

  it('a plain user at /v1/admin is refused, from the public listener there is nothing; each is logged once', async () => {
    const [eve, bob] = [await create(), await create()];
    const calls = Object.keys(CALL_RATES).filter(isAdminCall);
    for (const call of calls) {
      const [method = '', path = ''] = call.split(' ');
      const where = path.replace(':id', bob.id).replace(':role', 'operator');
      const before = [refused('gateway-1'), refused('gateway-2')];
      const inside = await eve.http(method, where, undefined, { base: admin[0] });
      expect([call, inside.status, inside.body.code]).toEqual([call, 403, 'forbidden']);
      expect(JSON.stringify(inside.body)).not.toContain(bob.username);
      const outside = await eve.http(method, where, undefined, { base: stack.gatewayUrls[1] });
      expect([call, outside.status, outside.body.code]).toEqual([call, 404, 'not_found']);
      await eventually(() =>
        expect([refused('gateway-1'), refused('gateway-2')]).toEqual([
          before[0]! + 1,
          before[1]! + 1,
        ]),
      );
    }
    expect(await code(login(bob))).toBe('ok');
    const { rows } = await sql.query('SELECT 1 FROM audit WHERE actor = $1', [eve.id]);
    expect(rows).toEqual([]);
  });

  it('shows where somebody is logged in, and ends it: 4502', async () => {
    const ann = await operator();
    const phone = await create();
    const laptop = await phone.onNewDevice();
    const sockets = [await phone.connect('gateway-1'), await laptop.connect('gateway-2')];
    const { body } = await act<{ items: AdminSession[] }>(ann, 'GET', `users/${phone.id}/sessions`);
    expect(body.items.map(({ id }) => id).sort()).toEqual([phone.deviceId, laptop.deviceId].sort());
    const [, listed] = await command('sessions', phone.username);
    expect(listed).toContain(`${laptop.deviceId}  since `);

    const end = { deviceId: laptop.deviceId };
    expect(await code(act(ann, 'POST', `users/${phone.id}/end`, end))).toBe('ok');
    expect((await sockets[1]!.close()).code).toBe(4502);
    expect(sockets[0]!.closed).toBeNull();
    expect(await code(act(ann, 'POST', `users/${phone.id}/end`, { deviceId: uuidv7() }))).toBe(
      'not_found',
    );
    expect(await command('end', phone.username)).toEqual([0, `${phone.username} is logged out.`]);
    expect((await sockets[0]!.close()).code).toBe(4502);
    expect(await code(refresh(phone))).toBe('refresh_expired');
    await phone.login();
  });

  describe('a disabled account', () => {
    it('ends on every call and frame, and what it wrote stays', async () => {
      const ann = await operator();
      const eve = await create();
      const bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
      const { id: conversationId } = await eve.direct(bob);
      const types = Object.keys(FRAME_RATES);
      const devices: ChatUser[] = [];
      for (let i = 0; i < SOCKETS; i++) devices.push(await eve.onNewDevice(i % 2));
      const sockets = await Promise.all(
        devices.map((device, i) => device.connect(`gateway-${(i % 2) + 1}`)),
      );
      const bobSocket = await bob.connect();
      const said = textSend({ conversationId }, 'this stays');
      const { position } = await answerTo(sockets[0]!, said);
      const image = await upload(eve, conversationId, await smallPng());
      const mediaId = image.body.mediaId;
      await answerTo(sockets[0]!, {
        ...textSend({ conversationId }, ''),
        content: { kind: 'image', mediaId },
      });
      const signed = await eve.http<MediaUrlAnswer>('GET', `/v1/media/${mediaId}/url`);
      const { url, ticket } = await devices[1]!.ticket('gateway-1');
      const resume = (sockets[2]!.of('welcome')[0] as unknown as { resumeTicket: string })
        .resumeTicket;

      const off = await act<AdminUser>(ann, 'POST', `users/${eve.id}/disable`, { reason: 'spam' });
      expect(off.body).toMatchObject({ username: eve.username, disabledAt: expect.any(String) });
      const closes = await Promise.all(sockets.map((socket) => socket.close()));
      expect(closes.map((close) => close.code)).toEqual(sockets.map(() => 4503));
      for (const old of [ticket, resume]) {
        await expect(openSocket(url, old)).rejects.toMatchObject({ status: 401 });
      }

      // frames: whatever is still written into a socket goes nowhere
      const before = (await bob.history(conversationId)).length;
      const seen = bobSocket.frames.length;
      const frames: Record<string, object> = {
        send: textSend({ conversationId }, 'after'),
        edit: {
          changeId: uuidv7(),
          messageId: said.messageId,
          conversationId,
          content: { kind: 'text', text: 'edited' },
        },
        delete: { changeId: uuidv7(), messageId: said.messageId, conversationId },
        received: { conversationId, position },
        read: { conversationId, position },
        typing: { conversationId, active: true },
        sync: { ref: 's' },
        ping: { ref: 'p' },
        activity: { kind: 'user' },
        state: { mode: 'front' },
        watch: { userIds: [bob.id] },
      };
      expect(types.filter((type) => frames[type] === undefined)).toEqual([]);
      for (const [i, type] of types.entries()) {
        const had = sockets[i % SOCKETS]!.frames.length;
        sockets[i % SOCKETS]!.send({ type, ...frames[type] });
        expect([type, sockets[i % SOCKETS]!.frames.length]).toEqual([type, had]);
      }

      // calls: all that need a login, on both gateways, beyond the grace of what they remember
      const named = {
        conversationId,
        messageId: said.messageId,
        changeId: uuidv7(),
        mediaId,
        userId: bob.id,
        deviceId: eve.deviceId,
        position: String(position),
      };
      const tried = new Set<string>();
      await eventually(async () => {
        for (const base of stack.gatewayUrls) {
          expect((await eve.http('GET', '/v1/me', undefined, { base })).status).toBe(401);
        }
      }, GRACE_MS + 2_000);
      for (const [name, make] of Object.entries(CALLS)) {
        const [method = ''] = name.split(' ');
        const { path, body, headers } = make(named as never, eve.id);
        for (const base of stack.gatewayUrls) {
          const response = await fetch(base + path, {
            method,
            headers: {
              authorization: `Bearer ${eve.accessToken}`,
              ...(body !== undefined && { 'content-type': 'application/json' }),
              ...headers,
            },
            body:
              body === undefined || body instanceof Uint8Array
                ? (body as Uint8Array<ArrayBuffer> | undefined)
                : JSON.stringify(body),
          });
          expect([name, response.status]).toEqual([name, 401]);
        }
        tried.add(name.replace(/ \(.*\)$/, ''));
      }
      for (const call of Object.keys(CALL_RATES)) {
        if (tried.has(call) || OPEN.includes(call) || isAdminCall(call)) continue;
        if (call === 'GET /v1/ws' || call === 'GET /v1/media/:id/signed') continue;
        const [method = '', path = ''] = call.split(' ');
        const where = path.replace(/:\w+/g, bob.id);
        const body = method === 'GET' || method === 'DELETE' ? undefined : {};
        expect([call, (await eve.http(method, where, body)).status]).toEqual([call, 401]);
      }
      const signedAnswer = await fetch(signed.body.url);
      expect([signedAnswer.status, await code(refresh(eve))]).toEqual([404, 'refresh_expired']);
      for (const base of stack.gatewayUrls) {
        const at = new ChatUser([base], eve.username);
        expect(await code(login(at))).toBe('forbidden');
        expect(await code(login(at, 'a wrong one'))).toBe('bad_credentials');
      }
      expect(await code(act(eve, 'GET', 'roles'))).toBe('unauthorized');

      const history = await bob.history(conversationId);
      expect(history).toHaveLength(before);
      expect(JSON.stringify(history)).toContain('this stays');
      const headers = { authorization: `Bearer ${bob.accessToken}` };
      const media = await fetch(`${stack.gatewayUrls[0]}/v1/media/${mediaId}`, { headers });
      expect(media.status).toBe(200);
      expect(bobSocket.frames.slice(seen)).toEqual([]);
      // others write to them as ever
      expect((await answerTo(bobSocket, textSend({ conversationId }, 'for later'))).type).toBe(
        'sent',
      );

      expect(await code(act(ann, 'POST', `users/${eve.id}/enable`))).toBe('ok');
      expect(await code(refresh(eve))).toBe('refresh_expired');
      await eve.login();
      expect(JSON.stringify(await eve.history(conversationId))).toContain('for later');
    });

    it('is told so by the next renewal where no other word came, also by an empty Redis', async () => {
      const eve = await create();
      const laptop = await eve.onNewDevice();
      const sockets = [await eve.connect('gateway-1'), await laptop.connect('gateway-2')];
      const redis = new Redis(stack.redisUrl);
      try {
        // no route leads to the first: nobody can be told there
        await redis.del(`{u:${eve.id}}:routes`);
        await command('disable', eve.username);
        await redis.flushall();
      } finally {
        redis.disconnect();
      }
      for (const socket of sockets) expect((await socket.close(2 * RENEWAL_MS)).code).toBe(4503);
    });

    it('gets a sentence from the SDK and the terminal client', async () => {
      const name = `sentence${process.pid}`;
      const home = join(homes, name);
      const cli = await CliProcess.register({ servers: stack.gatewayUrls, user: name, home });
      const eve = new ChatUser(stack.gatewayUrls, name);
      await eve.login();
      const client = nodeClient({ servers: stack.gatewayUrls });
      await client.login({ username: name, password: ChatUser.PASSWORD });
      const stopped = new Promise<object>((resolve) => client.once('stopped', resolve));
      await client.start();
      await eventually(() => expect(client.state).toBe('online'));
      await command('disable', name);
      const sentence = 'Your account was disabled by those who run this server';
      expect(await stopped).toEqual({ code: 4503, reason: sentence });
      expect(client.currentLogin).toBeNull();
      await cli.shows(new RegExp(sentence));
      expect(await cli.ended).toBe(1);
      expect(cli.lines.join('\n')).not.toContain('log in again');
      const again = new Program(join('clients', 'cli', 'src', 'main.js'), {
        args: ['--server', stack.gatewayUrls[0]!, '--user', name],
        env: { XDG_STATE_HOME: home, TIDINGS_PASSWORD: ChatUser.PASSWORD },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      expect(await again.ended).toBe(1);
      expect(again.lines.join('\n') + again.errors).toContain('This account is disabled.');
    });

    it('has held messages that are judged again when they drain', async () => {
      const eve = await create();
      const bob = await create();
      const { id: conversationId } = await eve.direct(bob);
      const [eveSocket, bobSocket]: TestSocket[] = [
        await eve.connect('gateway-1'),
        await bob.connect('gateway-1'),
      ];
      await stack.kafka.stop();
      const held = textSend({ conversationId }, 'from a disabled account');
      const kept = textSend({ conversationId }, 'from somebody else');
      expect((await answerTo(eveSocket!, held)).type).toBe('held');
      expect((await answerTo(bobSocket!, kept)).type).toBe('held');
      expect(await command('disable', eve.username)).toEqual([0, `${eve.username} is disabled.`]);
      expect((await eveSocket!.close()).code).toBe(4503);
      // a try that was judged before is given up after 2 s: until then Kafka would take it
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await stack.kafka.restart();
      await bobSocket!.find((f) => f.type === 'sent' && f['messageId'] === kept.messageId, 60_000);
      await eventually(async () => {
        const history = JSON.stringify(await bob.history(conversationId));
        expect(history).toContain('from somebody else');
        expect(history).not.toContain('from a disabled account');
      }, 60_000);
      const dropped = logLines(stack.node('gateway-1').logPath, 'a held message was not sent');
      expect(dropped.map((line) => [line['messageId'], line['code']])).toEqual([
        [held.messageId, 'forbidden'],
      ]);
    });
  });
});
