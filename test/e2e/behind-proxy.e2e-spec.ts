import { readdirSync, readFileSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { SUBPROTOCOL, TICKET_PROTOCOL_PREFIX } from '@tidings/protocol/frames';
import { WebSocket } from 'ws';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { HttpProxy } from '../support/http-proxy';
import { openSocket, type TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';

/** What one address may have open; devices of a user are more. */
const MAX_CONNECTIONS = 4;

describe('clients behind a proxy', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let proxy: HttpProxy;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 1, session: 1, presence: 1, storage: 1 },
      env: { TRUST_PROXY: '1', ADDRESS_CONNECTIONS: String(MAX_CONNECTIONS) },
    }));
    proxy = new HttpProxy(stack.gatewayUrls[0]!);
  }, 240_000);
  afterAll(async () => {
    proxy?.close();
    await stop?.();
  });

  const socketUrl = (door: string): string => `${door.replace('http', 'ws')}/v1/ws`;
  /** A socket through a door of the proxy, or the status that refused it. */
  const connect = async (user: ChatUser, door: string): Promise<TestSocket> => {
    const { ticket } = await user.ticket();
    const socket = await openSocket(socketUrl(door), ticket);
    await socket.next('welcome');
    return socket;
  };
  const upgrade = (door: string, headers: Record<string, string> = {}, ticket = 'd'.repeat(23)) =>
    new Promise<number>((resolve, reject) => {
      const protocols = [SUBPROTOCOL, TICKET_PROTOCOL_PREFIX + ticket];
      const socket = new WebSocket(socketUrl(door), protocols, { headers });
      socket.on('unexpected-response', (asked: ClientRequest, { statusCode }: IncomingMessage) => {
        resolve(statusCode!);
        asked.destroy();
      });
      socket.on('open', () => socket.terminate());
      socket.on('error', reject);
    });
  const status = async (door: string): Promise<number> => (await fetch(`${door}/v1`)).status;

  it('have sockets of their own number: one with all of its takes none from another', async () => {
    const [here, there] = [await proxy.door('198.51.100.1'), await proxy.door('198.51.100.2')];
    const ann = await ChatUser.create(stack.gatewayUrls);
    const sockets: TestSocket[] = [];
    for (let n = 0; n < MAX_CONNECTIONS; n++) {
      const device = await ann.onNewDevice(0);
      sockets.push(await connect(device, here));
    }
    const other = await ann.onNewDevice(0);
    const { ticket } = await other.ticket();
    expect(await upgrade(here, {}, ticket)).toBe(503);
    expect(await status(here)).toBe(503);
    const bob = await ChatUser.create(stack.gatewayUrls);
    sockets.push(await connect(bob, there));
    expect(await status(there)).toBe(200);
    sockets.shift()!.cut();
    await eventually(async () => sockets.push(await connect(other, here)));
    for (const socket of sockets) socket.cut();
    await eventually(async () => expect(await status(here)).toBe(200));
  });

  it('have calls of their own number, before anybody has logged in', async () => {
    const [here, there] = [await proxy.door('198.51.100.3'), await proxy.door('198.51.100.4')];
    const halves = Array.from({ length: MAX_CONNECTIONS }, () => {
      const half = request(`${here}/v1/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': 100 },
      });
      half.on('error', () => undefined).write('{');
      return half;
    });
    await eventually(async () => expect(await status(here)).toBe(503));
    expect(await status(there)).toBe(200);
    // a forged address in front of the proxy's is nobody's
    const forged = { headers: { 'x-forwarded-for': '198.51.100.4' } };
    expect((await fetch(`${here}/v1`, forged)).status).toBe(503);
    for (const half of halves) half.destroy();
    await eventually(async () => expect(await status(here)).toBe(200));
  });

  it('are logged with the address that the proxy has seen, and never with other text', async () => {
    const door = await proxy.door('198.51.100.5');
    const [gateway] = stack.gatewayUrls;
    const refused = (): { event: string; address: string }[] =>
      readdirSync(join(stack.dir, 'logs'))
        .flatMap((name) => readFileSync(join(stack.dir, 'logs', name), 'utf8').split('\n'))
        .filter((line) => line.includes('"event":"ticket_refused"'))
        .map((line) => JSON.parse(line) as { event: string; address: string });
    const addresses = async (door: string, forwarded: string): Promise<string> => {
      const before = refused().length;
      expect(await upgrade(door, { 'x-forwarded-for': forwarded })).toBe(401);
      await eventually(() => expect(refused()).toHaveLength(before + 1));
      return refused().at(-1)!.address;
    };
    const forged = '203.0.113.1, 203.0.113.2';
    expect(await addresses(door, forged)).toBe('198.51.100.5');
    expect(await addresses(door, 'x'.repeat(5_000))).toBe('198.51.100.5');
    // a proxy that passes on what is no address stands for itself
    for (const text of ['x'.repeat(5_000), '","event":"login', `fe80::1%${'z'.repeat(500)}`]) {
      expect(await addresses(gateway!, text)).toMatch(/^(::ffff:)?127\.0\.0\.1$/);
    }
  });
});
