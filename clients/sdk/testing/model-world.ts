import { PEER } from './factories';
import { FakeClock, settle } from './fake-clock';
import { ModelDevice } from './model-device';
import { CONVERSATIONS, ModelLog } from './model-log';
import { type ModelStorage, plainStorage } from './model-sync';

/** The server's clock is ahead of the clients'. */
const SKEW_MS = 90_000;
const START_MS = Date.UTC(2026, 0, 1);
/** Short lifetimes are over after this time. */
const LONGER_THAN_A_LIFE_MS = 61_000;

/** A log, two devices of one user, and others who write into the same conversations. */
export class ModelWorld {
  readonly clock: FakeClock;
  readonly log: ModelLog;
  readonly devices: ModelDevice[];
  readonly storage: ModelStorage;
  private focus: readonly string[] = CONVERSATIONS;

  /** `startAt`: Unix milliseconds on the server. */
  constructor(storageOf: (log: ModelLog) => ModelStorage = plainStorage, startAt = START_MS) {
    this.clock = new FakeClock(startAt - SKEW_MS);
    this.log = new ModelLog(() => this.clock.now() + SKEW_MS);
    this.storage = storageOf(this.log);
    this.devices = ['one', 'two'].map((name) => new ModelDevice(this, name));
  }

  /** Both devices connect. `focus`: the conversations that the run is about. */
  async start(focus: readonly string[]): Promise<void> {
    this.focus = focus;
    for (const device of this.devices) {
      await device.client.start();
      await settle();
      device.gateway.accept();
    }
  }

  /** The conversation with a number. */
  at(index: number): string {
    return this.focus[index % this.focus.length]!;
  }

  /** Adds somebody to a group, or removes him; who is in a direct conversation stays. */
  toggle(index: number, userId: string): void {
    const conversationId = this.at(index);
    if (conversationId !== CONVERSATIONS[0]) this.log.toggle(conversationId, userId);
  }

  /** Somebody changes the n-th message from the end; `content` null: deletes it. */
  change(index: number, back: number, text: string | null): void {
    const conversationId = this.at(index);
    const target = this.log.visible(conversationId).at(-1 - back);
    if (!target) return;
    const content = text === null ? null : ({ kind: 'text', text } as const);
    this.log.change(conversationId, target.messageId, content);
  }

  /** A retried send with unknown outcome reaches the log once more. */
  copy(index: number, back: number): void {
    const conversationId = this.at(index);
    const target = this.log.visible(conversationId).at(-1 - back);
    if (target && target.content.kind !== 'event') this.log.append(conversationId, target);
  }

  /** Somebody else has read up to the n-th message from the end. */
  peerReads(index: number, back: number): void {
    const conversationId = this.at(index);
    const target = this.log.everything(conversationId).at(-1 - back);
    if (target) this.log.raise(conversationId, PEER, { read: Number(target.position) });
  }

  /** Lets everything go well until nothing is left to do and no short life is left. */
  async calmDown(): Promise<void> {
    await this.rest();
    await this.clock.pass(LONGER_THAN_A_LIFE_MS, LONGER_THAN_A_LIFE_MS / 4);
    // Marks that the first sync makes known are raised, and known to all with the second.
    for (let round = 0; round < 2; round++) {
      for (const device of this.devices) device.gateway.cut();
      await this.rest();
    }
  }

  /** Lets everything go well until nothing is left to do. */
  async rest(): Promise<void> {
    for (let round = 0; round < 400; round++) {
      for (const device of this.devices) {
        device.gateway.accept();
        for (let i = 0; i < 20; i++) await device.serve();
        device.gateway.drain();
      }
      await this.clock.pass(1_000, 250);
      if (round > 3 && this.devices.every((device) => device.idle)) return;
    }
    throw new Error('It does not calm down');
  }

  /** With all pages read, another connect finds what no device should show. */
  async findStrays(): Promise<void> {
    const astray = this.devices.filter((device) => device.astray);
    for (const device of astray) device.gateway.cut();
    await this.rest();
    for (const device of astray) await device.checkView();
  }

  /** A device that has lost a message finds it by the digest, and nothing else is begun anew. */
  async checkLoss(): Promise<void> {
    const [device] = this.devices;
    const lost = this.log
      .begun()
      .filter((conversationId) => this.log.visible(conversationId).length > 0)
      .slice(0, 2);
    for (const conversationId of lost) {
      const last = this.log.visible(conversationId).at(-1)!;
      device!.client.conversation(conversationId)!.drop(last.messageId);
    }
    const before = device!.resets.length;
    device!.gateway.cut();
    await this.rest();
    await device!.checkView();
    expect(device!.resets.slice(before).sort()).toEqual(lost);
  }

  /** A device that was never there before sees the same as those that were. */
  async checkColdDevice(): Promise<void> {
    const cold = new ModelDevice(this, 'cold');
    await cold.client.start();
    await settle();
    cold.gateway.accept();
    for (let i = 0; i < 40; i++) await cold.serve(false);
    await cold.checkView();
    cold.checkEvents();
    await cold.stop();
  }

  /** Ends all clients; gives how many timers they have left behind. */
  async stop(): Promise<number> {
    for (const device of this.devices) await device.stop();
    return this.clock.pending;
  }
}
