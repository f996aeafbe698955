import { TidingsClient } from '../src/client';
import type { ClientOptions } from '../src/client-options';
import { nodeSha256 } from '../src/node/sha256';
import { MemoryOutboxStore } from '../src/outbox-store';
import type { SavedLogin } from '../src/tokens';
import { ME, message, welcome } from './factories';
import { FakeClock, settle } from './fake-clock';
import { FakeTransport, type FakeSocket } from './fake-transport';

/** A client with a clock, sockets and a directory of its own, and what it told. */
export class ClientBench {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly store = new MemoryOutboxStore();
  readonly saved: (SavedLogin | null)[] = [];
  readonly log: string[] = [];
  readonly client: TidingsClient;

  constructor(more: Partial<ClientOptions> = {}) {
    this.client = new TidingsClient({
      servers: ['http://one'],
      transport: this.transport,
      sha256: nodeSha256,
      outbox: this.store,
      saveLogin: (login) => {
        this.saved.push(login);
      },
      fetch: () => Promise.resolve(new Response(JSON.stringify(DIRECTORY))),
      clock: this.clock,
      random: () => 0.5,
      ...more,
    });
    this.client.restore(LOGIN);
    this.client.on('state', ({ state }) => this.log.push(state));
    this.client.on('stopped', ({ code }) => this.log.push(`code ${code}`));
    this.client.on('failed', (e) => this.log.push(`failed ${e.code}${e.void ? ' void' : ''}`));
    this.client.on('problem', ({ kind }) => this.log.push(kind));
  }

  get socket(): FakeSocket {
    return this.transport.last;
  }

  async online(serverTime?: string, features: string[] = []): Promise<void> {
    await this.client.start();
    await settle();
    this.socket.receive(welcome('g1', { features, ...(serverTime && { serverTime }) }));
    await settle();
  }

  /** Answers the last sync. */
  answer(body: object = {}): void {
    const { ref } = this.socket.frames<{ ref: string }>('sync').at(-1)!;
    const whole = { conversations: [], since: 's1', complete: true, ...body };
    this.socket.receive({ type: 'synced', ref, ...whole });
  }
}

const DIRECTORY = {
  ticket: 't',
  expiresInSeconds: 30,
  gateways: [
    { id: 'g1', url: 'ws://g1/' },
    { id: 'g2', url: 'ws://g2/' },
  ],
  heartbeatSeconds: 25,
  backoff: { baseMs: 100, maxMs: 1000 },
};
const LOGIN: SavedLogin = {
  user: { id: ME, username: 'me', firstName: 'Me' },
  deviceId: '00000000-0000-7000-8000-0000000000d1',
  accessToken: 'a',
  refreshToken: 'r',
  expiresAt: Infinity,
};

/** A pushed message. */
export const pushed = (position: number, previous: number, more = {}) => ({
  type: 'message',
  ...message(position, more),
  previous: String(previous),
});
