import { setTimeout as pause } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import type { Message, TidingsClient } from '@tidings/sdk';
import { nodeClient } from '@tidings/sdk/node';

/** How long a line may take to the other end, also while a gateway is away. */
export const LINE_MS = 60_000;
const CONNECT_MS = 20_000;
/** How long an actor tries to get away from a gateway: another one may be starting yet. */
const MOVE_MS = 20_000;
const MOVE_PAUSE_MS = 1_000;

/** One of the two users: an SDK client, and what it was shown. */
export class Actor {
  /** Texts in the order in which they were shown. */
  readonly shown: Message[] = [];
  /** How often it was connected again. */
  reconnects = 0;
  private online = 0;
  private readonly waiting = new Map<string, () => void>();

  private constructor(
    readonly name: string,
    readonly client: TidingsClient,
  ) {
    client.on('state', ({ state }) => {
      if (state === 'online' && ++this.online > 1) this.reconnects++;
    });
    client.on('message', ({ message }) => {
      if (message.content.kind !== 'text') return;
      this.shown.push(message);
      this.waiting.get(message.messageId)?.();
    });
  }

  /** Registers a fresh user and connects it. */
  static async create(name: string, servers: readonly string[]): Promise<Actor> {
    const username = `${name.toLowerCase()}-${randomBytes(4).toString('hex')}`;
    const password = randomBytes(12).toString('base64url');
    const client = nodeClient({ servers });
    const email = `${username}@tidings.invalid`;
    await client.register({ username, password, email, firstName: name });
    await client.login({ username, password, device: { name: 'Demo' } });
    const actor = new Actor(name, client);
    await client.start();
    await within(client.whenSynced(), CONNECT_MS, `${name} could not connect`);
    return actor;
  }

  get userId(): string {
    return this.client.currentLogin!.user.id;
  }

  /** Moves to another gateway than this one; false when there seems to be none. */
  async leave(gatewayId: string | null): Promise<boolean> {
    const end = performance.now() + MOVE_MS;
    for (let first = true; this.client.gatewayId === gatewayId && performance.now() < end;) {
      if (!first) await pause(MOVE_PAUSE_MS);
      first = false;
      this.client.reconnect();
      await within(this.client.whenSynced(), CONNECT_MS, `${this.name} could not connect again`);
    }
    this.reconnects = 0;
    return this.client.gatewayId !== gatewayId;
  }

  /** Settles when a message was shown here. */
  async hears(messageId: string, what: string): Promise<void> {
    if (this.shown.some((m) => m.messageId === messageId)) return;
    const shown = new Promise<void>((resolve) => this.waiting.set(messageId, resolve));
    await within(shown, LINE_MS, `${what} did not reach ${this.name}`);
    this.waiting.delete(messageId);
  }
}

/** Settles like the promise, or fails with a sentence when that takes too long. */
export async function within<T>(promise: Promise<T>, ms: number, sentence: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${sentence} within ${ms / 1000} s.`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
