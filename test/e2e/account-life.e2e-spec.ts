import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { uuidv7 } from 'uuidv7';
import type { Block, Contact, Device, Presence } from '@tidings/protocol/http';
import { nodeClient } from '@tidings/sdk/node';
import type { AccountEvent } from '@tidings/sdk';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { openSocket, TestSocket, UpgradeRefused } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';

const NEXT = 'quite another horse battery';
/** The documented grace of what gateways remember, milliseconds. */
const GRACE_MS = 1_000;
/** So long gateway-3 waits before it writes a route, milliseconds: enough for a removal on a busy machine. */
const BEFORE_ROUTE_MS = 4_000;

describe('the life of an account, on two gateways and two devices', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  const sockets: TestSocket[] = [];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 3, session: 1, presence: 1, storage: 2 },
      nodeEnv: {
        'gateway-3': { TEST_FAILPOINT: `gateway.betweenTicketAndRoute:sleep${BEFORE_ROUTE_MS}` },
      },
    }));
  }, 240_000);
  afterAll(async () => {
    for (const socket of sockets) socket.cut();
    await stop?.();
  });

  const create = () => ChatUser.create(stack.gatewayUrls);
  const connect = async (user: ChatUser, gateway: string): Promise<TestSocket> => {
    const socket = await user.connect(gateway);
    sockets.push(socket);
    return socket;
  };
  /** A user on two devices, each on a gateway of its own. */
  const onTwoDevices = async () => {
    const phone = await create();
    const laptop = await phone.onNewDevice();
    const phoneSocket = await connect(phone, 'gateway-1');
    const laptopSocket = await connect(laptop, 'gateway-2');
    return { phone, laptop, phoneSocket, laptopSocket };
  };
  const changePassword = (user: ChatUser, current: string, next: string) =>
    user.http('POST', '/v1/me/password', { current, next });
  const code = async (call: Promise<{ status: number; body?: { code?: string } }>) => {
    const { status, body } = await call;
    return status < 300 ? 'ok' : body?.code;
  };
  const refresh = ({ bases, refreshToken }: ChatUser) =>
    new ChatUser(bases, 'x').http('POST', '/v1/auth/refresh', { refreshToken }, { token: null });
  const resumeTicket = (socket: TestSocket) =>
    (socket.of('welcome')[0] as unknown as { resumeTicket: string }).resumeTicket;
  const accountNews = (socket: TestSocket) => socket.of('account').map((f) => f['changed']);

  describe('the password', () => {
    it('stays when the current one is wrong or the next one weak', async () => {
      const { phone, laptop, laptopSocket } = await onTwoDevices();
      expect(await code(changePassword(phone, 'wrong one', NEXT))).toBe('bad_credentials');
      expect(await code(changePassword(phone, ChatUser.PASSWORD, 'short'))).toBe('weak_password');
      expect(await code(changePassword(phone, ChatUser.PASSWORD, phone.username))).toBe(
        'weak_password',
      );
      expect((await laptop.http('GET', '/v1/me')).status).toBe(200);
      expect(laptopSocket.closed).toBeNull();
    });

    it('when changed ends tokens, tickets and sockets of the other devices, and no more', async () => {
      const { phone, laptop, phoneSocket, laptopSocket } = await onTwoDevices();
      const resume = resumeTicket(laptopSocket);
      const { url, ticket } = await laptop.ticket('gateway-1');
      const own = await phone.ticket('gateway-1');
      expect((await changePassword(phone, ChatUser.PASSWORD, NEXT)).status).toBe(204);
      const changedAt = performance.now();
      expect((await laptopSocket.close()).code).toBe(4502);
      for (const old of [ticket, resume]) {
        await expect(openSocket(url, old)).rejects.toMatchObject({ status: 401 });
      }
      expect(await code(refresh(laptop))).toBe('refresh_expired');
      await eventually(async () => {
        for (const base of stack.gatewayUrls) {
          const me = await laptop.http('GET', '/v1/me', undefined, { base });
          expect(me.status).toBe(401);
        }
      }, GRACE_MS + 2_000);
      expect(performance.now() - changedAt).toBeLessThan(GRACE_MS + 2_000);

      expect((await phone.http('GET', '/v1/me')).status).toBe(200);
      phoneSocket.send({ type: 'ping', ref: 'still here' });
      await phoneSocket.find((f) => f.type === 'pong' && f['ref'] === 'still here');
      // the ticket that this device had, too: it takes the place of its socket
      const again = await openSocket(own.url, own.ticket);
      sockets.push(again);
      await again.next('welcome');
      expect((await phoneSocket.close()).code).toBe(4506);
      expect(await code(refresh(phone))).toBe('ok');
      await expect(phone.login(ChatUser.PASSWORD)).rejects.toThrow(/bad_credentials/);
      await phone.login(NEXT);
      // A lost answer may be asked for again.
      expect((await changePassword(phone, ChatUser.PASSWORD, NEXT)).status).toBe(204);
    });
  });

  describe('devices', () => {
    const list = async (user: ChatUser): Promise<Device[]> =>
      (await user.http<{ items: Device[] }>('GET', '/v1/me/devices')).body.items;

    it('are listed with who asks and who is connected', async () => {
      const { phone, laptop, laptopSocket } = await onTwoDevices();
      const away = await phone.onNewDevice(0);
      const expected = [
        { id: phone.deviceId, current: true, online: true },
        { id: laptop.deviceId, current: false, online: true },
        { id: away.deviceId, current: false, online: false },
      ];
      const found = await list(phone);
      expect(found).toHaveLength(3);
      for (const device of expected) {
        expect(found).toContainEqual(expect.objectContaining(device));
      }
      await laptopSocket.end();
      await eventually(async () => {
        const seen = (await list(away)).find((device) => device.id === laptop.deviceId);
        expect(seen).toMatchObject({ current: false, online: false });
      });
    });

    it('are removed with their sockets; the others are told', async () => {
      const { phone, laptop, laptopSocket } = await onTwoDevices();
      const tablet = await phone.onNewDevice();
      const tabletSocket = await connect(tablet, 'gateway-2');
      const resume = resumeTicket(laptopSocket);
      const { url } = await phone.ticket('gateway-1');
      const removal = () => phone.http('DELETE', `/v1/me/devices/${laptop.deviceId}`);
      expect((await removal()).status).toBe(204);
      expect((await laptopSocket.close()).code).toBe(4502);
      await tabletSocket.find((f) => f.type === 'account');
      expect(accountNews(tabletSocket)).toEqual([['devices']]);
      await expect(openSocket(url, resume)).rejects.toMatchObject({ status: 401 });
      expect(await code(refresh(laptop))).toBe('refresh_expired');
      expect((await list(phone)).map((device) => device.id).sort()).toEqual(
        [phone.deviceId, tablet.deviceId].sort(),
      );
      expect((await removal()).status).toBe(204);
    });

    it('lose also a socket that is being opened meanwhile', async () => {
      const phone = await create();
      const laptop = await phone.onNewDevice();
      let opened = 0;
      for (let round = 0; round < 10; round++) {
        await laptop.login();
        const { url, ticket } = await laptop.ticket('gateway-2');
        const remove = () => phone.http('DELETE', `/v1/me/devices/${laptop.deviceId}`);
        const open = () =>
          openSocket(url, ticket).catch((error: unknown) => {
            expect(error).toEqual(new UpgradeRefused(401));
            return null;
          });
        const [first, second] = round % 2 === 0 ? [open, remove] : [remove, open];
        const begun = first();
        await new Promise((resolve) => setTimeout(resolve, round));
        const ends = await Promise.all([begun, second()]);
        const socket = ends.find((end) => end instanceof TestSocket);
        if (!socket) continue;
        opened++;
        expect((await socket.close()).code).toBe(4502);
      }
      // not all of them were refused
      expect(opened).toBeGreaterThan(0);
    });

    it('lose also a socket whose ticket was taken, and whose route is not written yet', async () => {
      const { phone, laptop } = await onTwoDevices();
      const { url, ticket } = await laptop.ticket('gateway-3');
      const socket = await openSocket(url, ticket);
      const openedAt = performance.now();
      const removal = await phone.http('DELETE', `/v1/me/devices/${laptop.deviceId}`);
      expect(removal.status).toBe(204);
      expect(performance.now() - openedAt).toBeLessThan(BEFORE_ROUTE_MS);
      expect((await socket.close()).code).toBe(4502);
      expect(socket.of('welcome')).toEqual([]);
    });

    it('of others and unknown ones are not found', async () => {
      const { phone, laptop, laptopSocket } = await onTwoDevices();
      const eve = await create();
      for (const id of [laptop.deviceId, phone.deviceId, randomUUID()]) {
        expect(await code(eve.http('DELETE', `/v1/me/devices/${id}`))).toBe('not_found');
      }
      expect(await code(eve.http('DELETE', '/v1/me/devices/none'))).toBe('invalid_request');
      expect((await laptop.http('GET', '/v1/me')).status).toBe(200);
      expect(laptopSocket.closed).toBeNull();
    });
  });

  describe('blocks', () => {
    const setBlock = async (method: 'PUT' | 'DELETE', from: ChatUser, of: ChatUser) => {
      const answer = await from.http(method, `/v1/blocks/${of.id}`);
      if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
    };
    const block = (from: ChatUser, of: ChatUser) => setBlock('PUT', from, of);
    const unblock = (from: ChatUser, of: ChatUser) => setBlock('DELETE', from, of);
    /** Sends one text; its answer's code, or `sent`. */
    const send = async (
      socket: TestSocket,
      target: { to: string } | { conversationId: string },
      text = 'hello',
    ): Promise<string> => {
      const frame = textSend(target, text);
      socket.send(frame);
      const answer = await socket.find(
        (f) => f['messageId'] === frame.messageId && (f.type === 'sent' || f.type === 'error'),
      );
      return answer.type === 'sent' ? 'sent' : String(answer['code']);
    };
    const put = (user: ChatUser, conversationId: string, base: string, messageId = uuidv7()) =>
      user.http<{ position: string; code?: string }>(
        'PUT',
        `/v1/conversations/${conversationId}/messages/${messageId}`,
        { content: { kind: 'text', text: `put ${messageId}` } },
        { base },
      );

    it('refuse the direct messages of the blocked one within a second, everywhere', async () => {
      const { phone: ann, laptopSocket } = await onTwoDevices();
      const bob = await create();
      const bobSocket = await connect(bob, 'gateway-2');
      const { id: conversationId } = await bob.direct(ann);
      expect(await send(bobSocket, { conversationId }, 'before')).toBe('sent');
      const early = uuidv7();
      const first = await put(bob, conversationId, stack.gatewayUrls[0]!, early);

      await block(ann, bob);
      const blockedAt = performance.now();
      /** Sends until the block shows; what was taken began within the grace. */
      const isRefusedInTime = async (way: () => Promise<string | undefined>): Promise<void> => {
        for (;;) {
          const at = performance.now() - blockedAt;
          const outcome = await way();
          if (outcome === 'blocked') return;
          expect(['sent', 'ok']).toContain(outcome);
          expect(at).toBeLessThanOrEqual(GRACE_MS);
          await delay(50);
        }
      };
      const taken = [early];
      // Each gateway learns of the block on its own.
      const waysIn = [
        () => send(bobSocket, { conversationId }, 'after the block'),
        () => send(bobSocket, { to: ann.id }, 'after the block'),
        ...stack.gatewayUrls.map((base) => async () => {
          const messageId = uuidv7();
          const outcome = await code(put(bob, conversationId, base, messageId));
          if (outcome === 'ok') taken.push(messageId);
          return outcome;
        }),
      ];
      await Promise.all(waysIn.map(isRefusedInTime));
      for (const way of waysIn) expect(await way()).toBe('blocked');
      for (const base of stack.gatewayUrls) {
        // What is in the log is answered as ever.
        const again = await put(bob, conversationId, base, early);
        expect([again.status, again.body.position]).toEqual([200, first.body.position]);
      }

      // What was said stays, for both; the other way is open.
      expect((await bob.direct(ann)).id).toBe(conversationId);
      const texts = (await bob.history(conversationId)).map((m) => JSON.stringify(m.content));
      expect(texts.some((text) => text.includes('before'))).toBe(true);
      expect(texts.filter((text) => text.includes('put')).toSorted()).toEqual(
        taken.toSorted().map((messageId) => expect.stringContaining(messageId)),
      );
      const annSocket = await connect(ann, 'gateway-1');
      expect(await send(annSocket, { conversationId }, 'good bye')).toBe('sent');
      await bobSocket.find((f) => JSON.stringify(f['content'] ?? '').includes('good bye'));

      expect(accountNews(laptopSocket)).toEqual([['blocks']]);
      await unblock(ann, bob);
      await eventually(async () => {
        expect(await send(bobSocket, { conversationId })).toBe('sent');
        expect(await code(put(bob, conversationId, stack.gatewayUrls[0]!))).toBe('ok');
      });
      await eventually(() => expect(accountNews(laptopSocket)).toEqual([['blocks'], ['blocks']]));
    });

    it('keep the blocked one from beginning a conversation, not the other way round', async () => {
      const [ann, eve] = [await create(), await create()];
      await block(ann, eve);
      const eveSocket = await connect(eve, 'gateway-2');
      expect(await send(eveSocket, { to: ann.id })).toBe('blocked');
      const body = { kind: 'direct', userIds: [ann.id] };
      expect(await code(eve.http('POST', '/v1/conversations', body))).toBe('blocked');
      const annSocket = await connect(ann, 'gateway-1');
      expect(await send(annSocket, { to: eve.id }, 'I may')).toBe('sent');
      await eveSocket.find((f) => JSON.stringify(f['content'] ?? '').includes('I may'));
      expect(await send(eveSocket, { to: ann.id })).toBe('blocked');
    });

    it('hide the presence from the blocked one only', async () => {
      const { phone: ann } = await onTwoDevices();
      const [bob, carl] = [await create(), await create()];
      await block(ann, bob);
      const presence = async (viewer: ChatUser): Promise<Presence> => {
        const path = `/v1/presence?userIds=${ann.id}`;
        return (await viewer.http<{ items: Presence[] }>('GET', path)).body.items[0]!;
      };
      expect(await presence(bob)).toEqual({
        userId: ann.id,
        status: 'offline',
        lastSeenAt: null,
        activeAt: null,
        version: expect.any(Number) as number,
      });
      await eventually(async () =>
        expect(await presence(carl)).toMatchObject({ status: 'online' }),
      );
    });

    it('are listed, and refused for oneself and nobody', async () => {
      const [ann, bob] = [await create(), await create()];
      await block(ann, bob);
      await block(ann, bob);
      const list = async (user: ChatUser): Promise<Block[]> =>
        (await user.http<{ items: Block[] }>('GET', '/v1/blocks')).body.items;
      expect((await list(ann)).map((item) => item.user.id)).toEqual([bob.id]);
      expect(await list(bob)).toEqual([]);
      expect(await code(ann.http('PUT', `/v1/blocks/${ann.id}`))).toBe('invalid_request');
      expect(await code(ann.http('PUT', `/v1/blocks/${randomUUID()}`))).toBe('not_found');
      await unblock(ann, bob);
      await unblock(ann, bob);
      expect(await list(ann)).toEqual([]);
    });
  });

  it('tells the own other devices and the added user of a new contact', async () => {
    const { phone: ann, phoneSocket, laptopSocket } = await onTwoDevices();
    const bob = await create();
    const bobSocket = await connect(bob, 'gateway-2');
    const add = (from: ChatUser, of: ChatUser) =>
      from.http<Contact>('PUT', `/v1/contacts/${of.id}`);
    expect((await add(ann, bob)).body).toMatchObject({ user: { id: bob.id }, mutual: false });
    await bobSocket.find((f) => f.type === 'account');
    await laptopSocket.find((f) => f.type === 'account');
    expect((await add(bob, ann)).body).toMatchObject({ mutual: true });
    await phoneSocket.find((f) => f.type === 'account');
    await eventually(() => {
      expect(accountNews(laptopSocket)).toEqual([['contacts'], ['contacts']]);
    });
    expect(accountNews(phoneSocket)).toContainEqual(['contacts']);
    expect(accountNews(bobSocket)).toEqual([['incoming']]);
  });

  it('keeps the lists of the SDK fresh', async () => {
    const { phone: ann } = await onTwoDevices();
    const bob = await create();
    const client = nodeClient({ servers: stack.gatewayUrls });
    await client.login({ username: ann.username, password: ChatUser.PASSWORD });
    const events: AccountEvent[] = [];
    client.on('account', (event) => events.push(event));
    await client.start();
    await client.whenSynced();
    expect(await client.account.blocks()).toEqual([]);
    expect(await client.account.devices()).toHaveLength(3);
    await ann.http('PUT', `/v1/blocks/${bob.id}`);
    await eventually(() => {
      const last = events.findLast((event) => event.blocks);
      expect(last?.blocks?.map((item) => item.user.id)).toEqual([bob.id]);
    });
    await client.api.removeDevice(ann.deviceId);
    await eventually(async () => expect((await ann.http('GET', '/v1/me')).status).toBe(401));
    await client.api.changePassword(ChatUser.PASSWORD, NEXT);
    expect((await client.account.devices()).map((device) => device.current)).toEqual([true]);
    await client.stop();
  });

  it('answers a wrong method on a known path with 405 and the right ones', async () => {
    const ann = await create();
    for (const [method, path, allow] of [
      ['DELETE', '/v1/me/password', 'POST'],
      ['PATCH', `/v1/blocks/${ann.id}`, 'DELETE, PUT'],
      ['PUT', '/v1/auth/login', 'POST'],
    ] as const) {
      const answer = await ann.http(method, path);
      expect([answer.status, answer.body.code]).toEqual([405, 'method_not_allowed']);
      expect(answer.headers.get('allow')).toBe(allow);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
    }
    expect((await ann.http('PATCH', '/v1/nowhere')).status).toBe(404);
  });

  it('logs what concerns security in one line each, with whom and whence, and no secret', async () => {
    const { phone, laptop, laptopSocket } = await onTwoDevices();
    const wrong = 'a wrong guess 4711';
    await expect(phone.login(wrong)).rejects.toThrow(/bad_credentials/);
    const resume = resumeTicket(laptopSocket);
    const { url } = await phone.ticket('gateway-1');
    await phone.http('DELETE', `/v1/me/devices/${laptop.deviceId}`);
    await expect(openSocket(url, resume)).rejects.toMatchObject({ status: 401 });
    await changePassword(phone, wrong, NEXT);
    await changePassword(phone, ChatUser.PASSWORD, NEXT);
    const secrets = [wrong, NEXT, ChatUser.PASSWORD, resume, phone.refreshToken, phone.accessToken];

    const logs = () =>
      readdirSync(join(stack.dir, 'logs')).map((name) =>
        readFileSync(join(stack.dir, 'logs', name), 'utf8'),
      );
    type Line = Record<string, unknown>;
    const lines = () =>
      logs()
        .flatMap((text) => text.split('\n'))
        .filter((line) => line.includes('"msg":"security"'))
        .map((line) => JSON.parse(line) as Line);
    const own = (event: string) =>
      lines().filter((line) => line['event'] === event && line['userId'] === phone.id);
    await eventually(() => {
      const { deviceId } = phone;
      expect(own('login_failed')).toEqual([expect.objectContaining({ deviceId })]);
      expect(own('password_refused')).toEqual([expect.objectContaining({ deviceId })]);
      expect(own('password_changed')).toEqual([expect.objectContaining({ deviceId })]);
      expect(own('device_removed')).toEqual([
        expect.objectContaining({ deviceId: laptop.deviceId, by: deviceId }),
      ]);
      expect(lines().some((line) => line['event'] === 'ticket_refused')).toBe(true);
    });
    for (const line of lines()) expect(line['address']).toMatch(/127\.0\.0\.1|::1/);
    for (const text of logs()) {
      for (const secret of secrets) expect(text.includes(secret)).toBe(false);
    }
  });
});
