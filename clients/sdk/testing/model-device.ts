import { createHash } from 'node:crypto';
import type { Message } from '@tidings/protocol/content';
import type { Receipt } from '@tidings/protocol/http';
import { TidingsClient } from '../src/client';
import type { Clock } from '../src/clock';
import { ME } from './factories';
import { settle } from './fake-clock';
import { ModelGateway } from './model-gateway';
import { isAlive, type ModelLog } from './model-log';
import { digestOf, type ModelStorage } from './model-sync';

/** What a device lives in. */
export interface DeviceWorld {
  log: ModelLog;
  clock: Clock;
  storage: ModelStorage;
  /** The conversation with a number. */
  at(index: number): string;
}

/** One device of this user, with its gateway. */
export class ModelDevice {
  readonly gateway: ModelGateway;
  private readonly log: ModelLog;
  readonly client: TidingsClient;
  readonly problems: string[] = [];
  /** Conversations whose local copy was dropped. */
  readonly resets: string[] = [];
  /** Own edits and deletions without an outcome. */
  changing = 0;
  /** In the order of writing; `at`: Unix milliseconds on the server. */
  private readonly written: { conversationId: string; messageId: string; at: number }[] = [];
  /** Own messages whose time was over before they were known to be sent. */
  private readonly givenUp = new Set<string>();
  /** How often a message was told as new, by conversation and id. */
  private readonly told = new Map<string, Map<string, number>>();
  private changes = 0;

  constructor(
    private readonly world: DeviceWorld,
    name: string,
  ) {
    const { clock, log, storage } = world;
    this.log = log;
    this.gateway = new ModelGateway(log, storage);
    this.client = new TidingsClient({
      servers: ['http://server'],
      transport: this.gateway.transport,
      sha256: (bytes) => createHash('sha256').update(bytes).digest(),
      fetch: this.gateway.fetch,
      clock,
      random: () => 0.5,
    });
    this.client.restore({
      user: { id: ME, username: 'me', firstName: 'Me' },
      deviceId: name,
      accessToken: 'a',
      refreshToken: 'r',
      expiresAt: Infinity,
    });
    this.listen();
  }

  /** The conversation with a number. */
  at(index: number): string {
    return this.world.at(index);
  }

  write(index: number): void {
    const conversationId = this.at(index);
    const text = `own ${this.written.length}`;
    const { messageId } = this.client.send({ conversationId, text });
    this.written.push({ conversationId, messageId, at: this.log.now() });
  }

  /** Edits or deletes the n-th message from the end, as far as this client knows them. */
  change(index: number, back: number, deletes: boolean): void {
    const conversationId = this.at(index);
    const message = this.client.messages(conversationId).at(-1 - back);
    if (!message) return;
    const place = { conversationId, messageId: message.messageId };
    this.changing++;
    const outcome = deletes
      ? this.client.deleteMessage(place)
      : this.client.edit({ ...place, text: `changed ${++this.changes}` });
    const done = (): void => void this.changing--;
    outcome.then(done, done);
  }

  /** Reads up to the n-th message from the end. */
  read(index: number, back: number): void {
    const conversationId = this.at(index);
    const message = this.client.messages(conversationId).at(-1 - back);
    if (message) this.client.markRead(conversationId, message.position);
  }

  /** Handles a bit of everything that waits, well. */
  async serve(marks = true): Promise<void> {
    this.gateway.serve('answer');
    this.gateway.serveChange('answer');
    await this.gateway.answerSync(0, false);
    if (marks) this.gateway.serveMarks();
    this.gateway.reply();
    this.gateway.deliver('once');
    await settle();
  }

  /** Whether nothing is left to do. */
  get idle(): boolean {
    const { client, gateway } = this;
    const sent = client.unsent.length === 0 && this.changing === 0;
    return client.state === 'online' && gateway.idle && sent;
  }

  /** Everything that lies in a complete stretch is held, at its place and in its version. */
  checkStretches(): void {
    for (const conversationId of this.log.begun()) {
      const model = this.client.conversation(conversationId);
      if (!model || model.gone) continue;
      for (const message of this.log.visible(conversationId)) {
        const position = Number(message.position);
        const covered = model
          .runs()
          .some((run) => Number(run.from) <= position && position <= Number(run.to));
        if (!covered) continue;
        const held = model.message(message.messageId);
        expect(held?.position).toBe(message.position);
        if (Number(message.version) <= Number(model.have)) {
          expect(held?.version).toBe(message.version);
        }
      }
    }
  }

  /**
   * Messages shown that were sent again after coming back, although their first append lies before
   * that: the next digest finds them.
   */
  strays(conversationId: string): Message[] {
    const from = this.log.interval(conversationId, ME)!.from;
    return this.client.messages(conversationId).filter(({ messageId }) => {
      const first = this.log.find(conversationId, messageId);
      return first !== undefined && first.at <= from;
    });
  }

  /** Whether any conversation shows strays. */
  get astray(): boolean {
    const mine = this.log.begun().filter((id) => this.log.isMember(id));
    return mine.some((conversationId) => this.strays(conversationId).length > 0);
  }

  /**
   * After reading all pages, this device shows exactly what there is for its user; `strays`: but for
   * those.
   */
  async checkView(strays = false): Promise<void> {
    for (const conversationId of this.log.begun()) {
      const model = this.client.conversation(conversationId);
      if (!this.log.isMember(conversationId)) {
        expect(model?.gone ?? true).toBe(true);
        continue;
      }
      expect(this.client.conversations()).toContain(conversationId);
      for (let before = model!.oldest; before !== null; before = model!.oldest) {
        await this.client.history(conversationId, { before });
        expect(model!.oldest).not.toBe(before);
      }
      const now = this.log.now();
      const expected = this.log.visible(conversationId);
      const shown = this.client.messages(conversationId).filter((m) => isAlive(m, now));
      const extra = strays ? this.strays(conversationId) : [];
      expect(shown.filter((m) => !extra.includes(m))).toEqual(expected);
      if (extra.length === 0) {
        expect(digestOf(model!.digestEntries(now)!)).toBe(digestOf(expected));
      }
      expect(this.client.unread(conversationId)).toBe(this.log.unread(conversationId));
      expect(this.receipts(conversationId)).toEqual(this.log.receipts(conversationId));
    }
  }

  /** Without reading any page: from the newest hole on, all that there is, as it is. */
  checkShown(): void {
    for (const conversationId of this.log.begun()) {
      const model = this.client.conversation(conversationId);
      if (!this.log.isMember(conversationId)) {
        expect(model?.gone ?? true).toBe(true);
        continue;
      }
      expect(this.client.conversations()).toContain(conversationId);
      const from = Number(model!.runs().at(-1)!.from);
      const now = this.log.now();
      const whole = (m: Message): boolean => {
        // A copy stands at its own place until the older message that it is one of is read, or
        // found to be of an earlier membership.
        const first = this.log.find(conversationId, m.messageId)?.at ?? Number(m.position);
        return first >= from && first > this.log.interval(conversationId, ME)!.from;
      };
      const shown = this.client.messages(conversationId).filter((m) => isAlive(m, now));
      expect(shown.filter(whole)).toEqual(this.log.visible(conversationId).filter(whole));
      // Of a new member's marks a client hears when they rise, or with the next sync.
      const marks = this.receipts(conversationId).filter((r) => r.userId !== ME);
      const rows = this.log.receipts(conversationId);
      const known = marks.filter((r) => rows.some((row) => row.userId === r.userId));
      expect(known).toEqual(rows.filter((row) => known.some((r) => r.userId === row.userId)));
    }
  }

  /**
   * What was written is in the history once, in the order in which it was written; only what was
   * refused for good, or given up because its time was over, may be missing.
   */
  checkOutbox(): void {
    for (const conversationId of this.log.begun()) {
      const written = this.written
        .filter((w) => w.conversationId === conversationId)
        .map((w) => w.messageId)
        .filter((id) => !this.gateway.failed.has(id) && !this.givenUp.has(id));
      const logged = this.log.everything(conversationId).map((m) => m.messageId);
      expect(logged.filter((messageId) => written.includes(messageId))).toEqual(written);
    }
  }

  /** Each message was told as new once, unless it has expired or the local copy was begun anew. */
  checkEvents(): void {
    const now = this.log.now();
    for (const [conversationId, counts] of this.told) {
      const alive = this.log.everything(conversationId).filter((m) => isAlive(m, now));
      const again = alive.filter((m) => counts.get(m.messageId)! > 1);
      expect(again.map((m) => m.messageId)).toEqual([]);
    }
    expect(this.problems).toEqual([]);
    expect(this.resets.filter((id) => this.log.memberships(id) < 2)).toEqual([]);
  }

  /** Ends; nothing of it may be left. */
  async stop(): Promise<void> {
    await this.client.stop();
  }

  /** A message may be given up only when a lifetime of its conversation is over. */
  private giveUp(messageId: string): void {
    const { conversationId, at } = this.written.find((w) => w.messageId === messageId)!;
    const life = Math.min(...this.log.lifetimes(conversationId)) * 1000;
    if (at + life > this.log.now()) this.problems.push(`given up too early: ${messageId}`);
    this.givenUp.add(messageId);
  }

  /** The marks that the client shows, as the server caps them. */
  private receipts(conversationId: string): Receipt[] {
    const last = this.log.last(conversationId);
    const capped = (mark: string): string => String(Math.min(Number(mark), last));
    return this.client
      .receipts(conversationId)
      .map((r) => ({ userId: r.userId, delivered: capped(r.delivered), read: capped(r.read) }))
      .sort((a, b) => (a.userId < b.userId ? -1 : 1));
  }

  private listen(): void {
    this.client.on('message', ({ message: { conversationId, messageId } }) => {
      const counts = this.told.get(conversationId) ?? new Map<string, number>();
      counts.set(messageId, (counts.get(messageId) ?? 0) + 1);
      this.told.set(conversationId, counts);
    });
    this.client.on('conversation', ({ conversationId, what }) => {
      if (what !== 'updated') this.told.delete(conversationId);
      if (what === 'reset') this.resets.push(conversationId);
    });
    this.client.on('failed', ({ messageId, code }) => {
      if (code === 'content_expired') this.giveUp(messageId);
    });
    this.client.on('problem', ({ kind, detail }) => this.problems.push(`${kind} ${detail}`));
  }
}
