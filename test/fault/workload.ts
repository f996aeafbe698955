import type { Message } from '@tidings/protocol/content';
import type { TidingsClient } from '@tidings/sdk';
import { nodeClient } from '@tidings/sdk/node';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import type { FaultHistory, Whose } from './fault-history';

/** One device of one user: an SDK client and what it has been shown, in order. */
export interface Device {
  name: Whose;
  user: ChatUser;
  client: TidingsClient;
  /** message id → how often the application was shown it as new */
  shown: Map<string, number>;
  gatewayId: string | null;
}

/** A direct conversation, its two ends (the second user has two devices). */
export interface Talk {
  id: string;
  ends: [Device[], Device[]];
  /** The first user once more, on a device that only reads pages over HTTP. */
  reader: ChatUser;
}

/** An acknowledged send. */
export interface Acknowledged {
  conversationId: string;
  messageId: string;
  position: string;
}

/** 20 conversations of SDK clients that send at a fixed rate, and what became of each message. */
export class Workload {
  readonly talks: Talk[] = [];
  readonly acknowledged: Acknowledged[] = [];
  readonly failed: { messageId: string; code: string }[] = [];
  sends = 0;
  /** Messages of which a gateway has said that it holds them. */
  readonly heldIds = new Set<string>();

  constructor(
    private readonly bases: string[],
    private readonly history: FaultHistory,
  ) {}

  /** All devices of all talks. */
  get devices(): Device[] {
    return this.talks.flatMap((talk) => talk.ends.flat());
  }

  async prepare(conversations: number): Promise<void> {
    for (let n = 0; n < conversations; n++) {
      const ann = await ChatUser.create(this.bases, { at: n % 2 });
      const bob = await ChatUser.create(this.bases, { at: (n + 1) % 2 });
      const { id } = await ann.direct(bob);
      const reader = await ann.onNewDevice(n % 2);
      const talk: Talk = { id, ends: [[], []], reader };
      const [a, b] = [`a${n}`, `b${n}`];
      talk.ends[0].push(await this.device(ann, { u: a, d: a }, talk));
      talk.ends[1].push(await this.device(bob, { u: b, d: b }, talk));
      const second = await bob.onNewDevice(n % 2);
      talk.ends[1].push(await this.device(second, { u: b, d: `${b}+` }, talk));
      this.talks.push(talk);
    }
    await Promise.all(this.devices.map((d) => d.client.whenSynced()));
  }

  /** Sends `perSecond` messages for `seconds`, evenly, taking turns over talks and ends. */
  async run(perSecond: number, seconds: number): Promise<void> {
    const began = performance.now();
    const total = perSecond * seconds;
    while (this.sends < total) {
      const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * perSecond));
      while (this.sends < due) this.sendOne(this.sends++);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Sends `perSecond` messages, evenly, until this has settled; gives what it came to. */
  async runDuring<T>(perSecond: number, what: () => Promise<T>): Promise<T> {
    const pace = setInterval(() => this.sendOne(this.sends++), 1_000 / perSecond);
    try {
      return await what();
    } finally {
      clearInterval(pace);
    }
  }

  /** Waits until every outbox is empty and every device holds everything. */
  async settle(withinMs: number): Promise<void> {
    await eventually(
      () => {
        const unsent = this.devices.reduce((sum, d) => sum + d.client.unsent.length, 0);
        if (unsent > 0) throw new Error(`${unsent} messages are still unsent`);
      },
      withinMs,
      100,
    );
    await Promise.all(this.devices.map((d) => d.client.whenSynced()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.devices.map((d) => d.client.stop()));
  }

  /** A device that has never been here: everything it can read of a conversation, by pages. */
  async fresh(talk: Talk): Promise<Message[]> {
    const { user: bob, name } = talk.ends[1][0]!;
    const user = await bob.onNewDevice(0);
    const client = await this.client(user);
    await client.whenSynced();
    for (;;) {
      const oldest = client.messages(talk.id)[0];
      const page = await client.history(talk.id, { before: oldest?.position, limit: 200 });
      if (!page.more) break;
    }
    const all = client.messages(talk.id);
    const fresh = { u: name.u, d: `${name.u} fresh` };
    this.history.joined(fresh, talk.id);
    this.history.final(fresh, talk.id, all);
    await client.stop();
    return all;
  }

  private async device(user: ChatUser, name: Whose, talk: Talk): Promise<Device> {
    const client = await this.client(user);
    const device: Device = { name, user, client, shown: new Map(), gatewayId: null };
    this.history.joined(name, talk.id);
    client.on('state', ({ state, gatewayId }) => {
      device.gatewayId = gatewayId ?? null;
      this.history.note('phase', state, name);
    });
    device.gatewayId = client.gatewayId;
    client.on('message', ({ message }) => {
      device.shown.set(message.messageId, (device.shown.get(message.messageId) ?? 0) + 1);
      this.history.observed('emit', name, talk.id, message);
    });
    client.on('held', ({ outgoing }) => this.heldIds.add(outgoing.messageId));
    client.on('sent', ({ outgoing, place }) => {
      const one = {
        conversationId: place.conversationId,
        messageId: outgoing.messageId,
        position: place.position,
      };
      this.acknowledged.push(one);
      this.history.acknowledged(name, one.conversationId, one);
    });
    client.on('failed', ({ messageId, code }) => {
      this.failed.push({ messageId, code });
      this.history.failed(name, talk.id, messageId);
      this.history.note('phase', `${messageId} ${code}`, name);
    });
    return device;
  }

  private async client(user: ChatUser): Promise<TidingsClient> {
    const client = nodeClient({ servers: user.bases });
    await client.login({
      username: user.username,
      password: ChatUser.PASSWORD,
      device: { id: user.deviceId },
    });
    await client.start();
    return client;
  }

  private sendOne(n: number): void {
    const talk = this.talks[n % this.talks.length]!;
    const device = talk.ends[Math.floor(n / this.talks.length) % 2]![0]!;
    const text = `message ${n}`;
    const outgoing = device.client.send({ conversationId: talk.id, text });
    this.history.invoked(device.name, talk.id, outgoing.messageId, text);
  }
}
