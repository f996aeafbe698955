import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { TidingsClient } from './client';
import { ME } from '../testing/factories';
import { FakeClock, settle } from '../testing/fake-clock';
import { CONVERSATIONS, ModelGateway, type Treatment } from '../testing/model-gateway';

/** More of them on demand: the space of interleavings is large. */
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 150);

/** One step of a run: what the world does next. */
interface Step {
  name: string;
  run: (world: World) => void | Promise<void>;
}

class World {
  readonly clock = new FakeClock();
  readonly gateway = new ModelGateway();
  readonly client: TidingsClient;
  readonly written: { conversationId: string; messageId: string }[] = [];
  readonly events = new Map<string, number>();
  readonly problems: string[] = [];
  resets = 0;
  /** Own edits and deletions without an outcome. */
  changing = 0;
  private changes = 0;

  constructor() {
    this.client = new TidingsClient({
      servers: ['http://server'],
      transport: this.gateway.transport,
      sha256: (bytes) => createHash('sha256').update(bytes).digest(),
      fetch: this.gateway.fetch,
      clock: this.clock,
      random: () => 0.5,
    });
    this.client.restore({
      user: { id: ME, username: 'me', firstName: 'Me' },
      deviceId: 'd',
      accessToken: 'a',
      refreshToken: 'r',
      expiresAt: Infinity,
    });
    this.client.on('message', ({ message }) => {
      const { messageId } = message;
      this.events.set(messageId, (this.events.get(messageId) ?? 0) + 1);
    });
    this.client.on('conversation', ({ what }) => {
      if (what === 'reset') this.resets++;
    });
    this.client.on('problem', ({ kind, detail }) => this.problems.push(`${kind} ${detail}`));
  }

  write(conversation: number): void {
    const conversationId = CONVERSATIONS[conversation]!;
    const { messageId } = this.client.send({ conversationId, text: `own ${this.written.length}` });
    this.written.push({ conversationId, messageId });
  }

  /** Edits or deletes the n-th message from the end, as far as this client knows them. */
  change(conversation: number, back: number, deletes: boolean): void {
    const conversationId = CONVERSATIONS[conversation]!;
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

  /** Everything that lies in a complete stretch is held, at its place and in its version. */
  checkStretches(): void {
    for (const conversationId of CONVERSATIONS) {
      const model = this.client.conversation(conversationId);
      if (!model) continue;
      for (const message of this.gateway.log.history(conversationId)) {
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

  /** Lets everything go well until nothing is left to do. */
  async calmDown(): Promise<void> {
    for (let round = 0; round < 400; round++) {
      this.gateway.accept();
      for (let i = 0; i < 20; i++) {
        this.gateway.serve('answer');
        this.gateway.serveChange('answer');
        this.gateway.answerSync(0, false);
        this.gateway.reply();
        this.gateway.deliver('once');
        await settle();
      }
      this.gateway.drain();
      await this.clock.pass(1_000, 250);
      const sent = this.client.unsent.length === 0 && this.changing === 0;
      const settled = this.gateway.idle && sent;
      if (settled && this.client.state === 'online' && round > 3) return;
    }
    throw new Error('It does not calm down');
  }

  /** Both hold the same: after reading all pages, the client has exactly the server's history. */
  async checkEqual(): Promise<void> {
    for (const conversationId of CONVERSATIONS) {
      const expected = this.gateway.log.history(conversationId);
      const model = this.client.conversation(conversationId);
      if (expected.length === 0) continue;
      for (let before = model!.oldest; before !== null; before = model!.oldest) {
        await this.client.history(conversationId, { before });
        expect(model!.oldest).not.toBe(before);
      }
      expect(this.client.messages(conversationId)).toEqual(expected);
      this.checkOutbox(
        conversationId,
        expected.map((m) => m.messageId),
      );
    }
  }

  /** What was written is in the history once, in the order in which it was written. */
  private checkOutbox(conversationId: string, history: string[]): void {
    const written = this.written
      .filter((w) => w.conversationId === conversationId)
      .map((w) => w.messageId)
      .filter((messageId) => !this.gateway.failed.has(messageId));
    expect(history.filter((messageId) => written.includes(messageId))).toEqual(written);
  }
}

const conversation = fc.nat(CONVERSATIONS.length - 1);
const treatments: Treatment[] = ['answer', 'stay silent', 'refuse', 'hold', 'conflict'];
const deliveries = ['once', 'once', 'once', 'twice', 'lose'] as const;

/** A kind of step; `weight`: how often it comes, compared with others. */
function step<T>(
  weight: number,
  name: string,
  argument: fc.Arbitrary<T>,
  run: (world: World, argument: T) => void | Promise<void>,
): fc.WeightedArbitrary<Step> {
  const arbitrary = argument.map((value) => ({
    name: `${name} ${JSON.stringify(value)}`,
    run: (world: World) => run(world, value),
  }));
  return { weight, arbitrary };
}

const steps = fc.oneof(
  step(6, 'speak', conversation, (w, c) => w.gateway.speak(c)),
  step(4, 'write', conversation, (w, c) => w.write(c)),
  step(2, 'edit', fc.tuple(conversation, fc.nat(6)), (w, [c, n]) => w.gateway.edit(c, n)),
  step(1, 'remove', fc.tuple(conversation, fc.nat(6)), (w, [c, n]) => w.gateway.remove(c, n)),
  step(1, 'change', fc.tuple(conversation, fc.nat(6), fc.boolean()), (w, [c, n, deletes]) =>
    w.change(c, n, deletes),
  ),
  step(2, 'serve change', fc.constantFrom('answer', 'stay silent', 'refuse'), (w, how) =>
    w.gateway.serveChange(how),
  ),
  step(1, 'copy', fc.tuple(conversation, fc.nat(6)), (w, [c, n]) => w.gateway.copy(c, n)),
  step(8, 'deliver', fc.constantFrom(...deliveries), (w, how) => w.gateway.deliver(how)),
  step(5, 'reply', fc.constant(1), (w) => w.gateway.reply()),
  step(5, 'serve', fc.constantFrom(...treatments), (w, how) => w.gateway.serve(how)),
  step(5, 'answer sync', fc.tuple(fc.constantFrom(0, 0, 0, 3), fc.boolean()), (w, [lag, split]) =>
    w.gateway.answerSync(lag, split),
  ),
  step(1, 'drain', fc.constant(1), (w) => w.gateway.drain()),
  step(1, 'cut', fc.constant(1), (w) => w.gateway.cut()),
  step(4, 'accept', fc.constant(1), (w) => void w.gateway.accept()),
  step(3, 'pass', fc.constantFrom(60, 400, 6_000, 61_000), (w, ms) => w.clock.pass(ms, ms / 3)),
);

describe('any interleaving of pushes, losses, doubles, reconnects, syncs and sends', () => {
  it('ends with what the server has, sent once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 10, maxLength: 90 }), async (run) => {
        const world = new World();
        await world.client.start();
        for (const { run: go } of run) {
          await go(world);
          await settle();
          world.checkStretches();
        }
        await world.calmDown();
        world.gateway.cut();
        await world.calmDown();
        world.checkStretches();
        await world.checkEqual();
        expect(world.resets).toBe(0);
        expect(world.problems).toEqual([]);
        expect([...world.events.values()].every((n) => n === 1)).toBe(true);
        await world.client.stop();
        expect(world.clock.pending).toBe(0);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});
