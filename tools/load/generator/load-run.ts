import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import { monotonicMs } from '../clock';
import { Ledger } from '../ledger';
import { type Random, seededRandom } from '../random';
import { type LoggedMessage, recordStored } from '../stored-latency';
import { Churn } from './churn';
import type { Connections, DeviceListener } from './connections';
import { FrameScanner, KINDS } from './frame-scan';
import { SendTemplate, encodeRetry, fillerText, messageText, NUMBER_DIGITS } from './frames';
import { Latency, type LatencyCounts } from './latency';
import { MessageIds } from './message-ids';
import { OtherFrames } from './other-frames';
import { Pacemaker } from './pacemaker';
import { Reading } from './reading';
import type { Drained, GeneratorResult, Phase, RunPlan } from './protocol';
import { type Share, firstAtOrAfter, poissonArrivals, shareOf } from './schedule';
import { Seen } from './seen';
import type { ProgressSamples } from '../stored-latency';

const DRAIN_POLL_MS = 50;
/** How often devices look whether they should read. */
const READ_TICK_MS = 20;
/** Waiting for the rest ends when nothing has come for this long. */
const DRAIN_SILENCE_MS = 15_000;

/**
 * One open-loop run over connected devices: sends its part of the schedule, measures, keeps the ledger.
 * Messages are counted here as this generator sends them; their ids and texts have their numbers in the
 * whole schedule, so that no two generators make the same and each knows what belongs to another.
 */
export class LoadRun implements DeviceListener {
  readonly ledger: Ledger;
  private readonly ids: MessageIds;
  private readonly arrivals: Share;
  private readonly templates: SendTemplate[] = [];
  private readonly slotOf: Int32Array;
  private readonly idMs: Float64Array;
  private readonly seen: Seen;
  private readonly sentLatency = new Latency();
  private readonly deliveredLatency = new Latency();
  private readonly lag = new Latency();
  private readonly slices: Latency[] = [];
  private readonly scanner = new FrameScanner();
  private readonly other: OtherFrames;
  private readonly reading: Reading | null;
  private readonly churn: Churn | null;
  private readonly filler: string;
  private readonly firstOfRun: number;
  private startMs = 0;
  private nextSend = 0;
  private acked = 0;
  /** acknowledged and on all devices */
  private complete = 0;
  private lastEventMs = 0;
  private lastCompleteMs = 0;
  private runSent = 0;
  private undeliveredAtEnd = 0;
  private readonly closed: GeneratorResult['closed'] = [];

  constructor(
    private readonly connections: Connections,
    private readonly plan: RunPlan,
  ) {
    const random = seededRandom(plan.seed);
    this.ids = new MessageIds(random);
    const { ratePerSecond, senders, warmupMs, runMs } = plan;
    const durationMs = warmupMs + runMs;
    const own = new Set(plan.conversations.flatMap(({ devices }) => devices));
    const all = poissonArrivals(random, { ratePerSecond, durationMs, senders });
    this.arrivals = shareOf(all, (sender) => own.has(sender));
    const count = this.arrivals.atMs.length;
    this.firstOfRun = firstAtOrAfter(this.arrivals.atMs, plan.warmupMs);
    this.ledger = new Ledger(
      plan.conversations.map((conversation) => conversation.devices),
      count,
    );
    const slices = plan.sliceMs === null ? 0 : Math.ceil(runMs / plan.sliceMs);
    for (let i = 0; i < slices; i++) this.slices.push(new Latency());
    this.idMs = new Float64Array(count);
    this.seen = new Seen(count, plan.conversations[0]?.devices.length ?? 0);
    this.slotOf = new Int32Array(senders);
    this.filler = fillerText(plan.textBytes - NUMBER_DIGITS);
    for (const { conversationId, devices: members } of plan.conversations) {
      members.forEach((device, slot) => {
        this.slotOf[device] = slot;
        this.templates[device] = new SendTemplate(conversationId, this.filler);
      });
    }
    this.reading = readingOf(plan, connections, random);
    this.churn = plan.churn && new Churn(connections, { ...plan, ...plan.churn, random });
    this.other = new OtherFrames(this.ledger, {
      sendAgain: (message) => this.sendAgain(message),
      receipt: (device, receipt) => this.reading?.onReceipt(device, receipt, monotonicMs()),
      presence: (device, userId, word) => this.churn?.told(device, userId, word, monotonicMs()),
    });
  }

  /** Everything that comes before the schedule. */
  async prepare(): Promise<void> {
    this.connections.listener = this;
    await this.churn?.watch();
  }

  /**
   * Sends the whole schedule from this moment (monotonic milliseconds) on, then waits for what is missing.
   * Rejects when the pacemaker fails.
   */
  async run(startMs: number, onPhase: (phase: Phase) => void): Promise<Drained> {
    this.startMs = startMs;
    const runAt = this.startMs + this.plan.warmupMs;
    const endAt = runAt + this.plan.runMs;
    let failed: (error: Error) => void = () => undefined;
    const failure = new Promise<never>((_, reject) => (failed = reject));
    const { atMs } = this.arrivals;
    const { ratePerSecond } = this.plan;
    const pacemaker = new Pacemaker(
      { atMs, startMs: this.startMs, ratePerSecond },
      () => this.sendDue(),
      failed,
    );
    this.churn?.start(this.startMs, failed);
    const reads = setInterval(() => this.reading?.tick(monotonicMs()), READ_TICK_MS);
    try {
      await Promise.race([failure, until(runAt)]);
      this.reading?.startRun();
      onPhase('run');
      for (const { atMs: markMs, phase } of this.churn?.marks ?? []) {
        await Promise.race([failure, until(this.startMs + markMs)]);
        onPhase(phase);
      }
      await Promise.race([failure, until(endAt)]);
      this.runSent = this.nextSend - this.firstOfRun;
      this.undeliveredAtEnd = this.acked - this.complete;
      onPhase('end');
      this.reading?.endRun();
      await this.drain(endAt);
    } finally {
      clearInterval(reads);
      await pacemaker.stop();
      await this.churn?.stop();
      this.other.stop();
    }
    return { highest: this.highest(), endMs: endAt };
  }

  onFrame(device: number, bytes: Buffer, start: number, end: number): void {
    const kind = this.scanner.scan(bytes, start, end);
    if (kind === KINDS.message) this.onMessage(device);
    else if (kind === KINDS.sent) this.onSent();
    else this.onOther(device, bytes.toString('utf8', start, end));
  }

  onClosed(device: number, code: number, reason: string): void {
    this.closed.push({ device, code, reason });
  }

  /** Compares what watchers were told last with what they are told when they ask. */
  async compareLastWords(urls: readonly string[]): Promise<void> {
    await this.churn?.compare(urls);
  }

  /** The result so far, with what the store shows. */
  result(samples: ProgressSamples, storedKnown: boolean): GeneratorResult<LatencyCounts> {
    const stored = new Latency();
    recordStored(samples, this.loggedInRun(), stored);
    const count = this.arrivals.atMs.length;
    const after = this.lastCompleteMs - this.startMs - this.plan.warmupMs - this.plan.runMs;
    return {
      scheduled: count,
      runScheduled: count - this.firstOfRun,
      runSent: this.runSent,
      latency: {
        sent: this.sentLatency.counts(),
        delivered: this.deliveredLatency.counts(),
        stored: stored.counts(),
      },
      slices: this.slices.map((slice) => slice.counts()),
      scheduleLag: this.lag.counts(),
      ...this.other.counts(),
      closed: this.closed,
      undeliveredAtEnd: this.undeliveredAtEnd,
      deliveredAfterMs: this.complete === this.acked ? Math.max(0, after) : null,
      ledger: this.ledger.check({ storedKnown }),
      receipts: this.reading?.result() ?? null,
      presence: this.churn?.result(monotonicMs()) ?? null,
    };
  }

  /** Partition of each conversation's records. */
  private partition(conversation: number): number {
    return partitionOf(this.plan.conversations[conversation]!.conversationId, this.plan.partitions);
  }

  private sendDue(): void {
    const { atMs, sender } = this.arrivals;
    let now = monotonicMs();
    while (this.nextSend < atMs.length && atMs[this.nextSend]! <= now - this.startMs) {
      const message = this.nextSend++;
      const device = sender[message]!;
      this.ledger.send(device);
      this.idMs[message] = Date.now();
      this.connections.send(device, this.templates[device]!.encode(this.idOf(message)));
      now = monotonicMs();
      if (message >= this.firstOfRun) this.lag.record(now - this.startMs - atMs[message]!);
    }
  }

  private sendAgain(message: number): void {
    const device = this.arrivals.sender[message]!;
    const conversation = this.ledger.conversationOfMessage(message);
    const { conversationId } = this.plan.conversations[conversation]!;
    const text = messageText(this.arrivals.numbers[message]!, this.filler);
    this.connections.send(device, encodeRetry(conversationId, this.idOf(message), text));
    this.ledger.sendAgain(message);
  }

  /** An own message; -1 when the id is not exactly one that was sent. */
  messageOf(id: string): number {
    const message = this.arrivals.own(this.ids.sequenceOf(id));
    const sent = message >= 0 && message < this.nextSend;
    return sent && this.ids.timeOf(id) === this.idMs[message] ? message : -1;
  }

  private idOf(message: number): string {
    return this.ids.make(this.arrivals.numbers[message]!, this.idMs[message]!);
  }

  /** A frame is about a message of another run; one of another generator has no business here. */
  private stranger(id: string): void {
    if (this.arrivals.ofOthers(this.ids.sequenceOf(id))) {
      this.ledger.invented(`message ${id} is one of another generator's conversation`);
    } else this.other.foreign++;
  }

  private onSent(): void {
    const message = this.messageOf(this.scanner.messageId);
    if (message < 0) {
      this.stranger(this.scanner.messageId);
      return;
    }
    if (!this.ledger.ack(message, this.scanner.position)) return;
    const now = monotonicMs();
    this.lastEventMs = now;
    this.acked++;
    if (this.seen.byAll(message)) this.completed(now);
    if (message >= this.firstOfRun) {
      const atMs = this.arrivals.atMs[message]!;
      this.sentLatency.record(now - this.startMs - atMs);
      this.churn?.message('sent', atMs, now - this.startMs - atMs);
    }
  }

  private onMessage(device: number): void {
    const { messageId, position, previous, text } = this.scanner;
    const message = this.messageOf(messageId);
    if (message < 0) {
      this.stranger(messageId);
      this.ledger.pushOther(device, position, previous);
      return;
    }
    if (!this.isText(text, messageId)) this.ledger.invented(`message ${message} has another text`);
    this.ledger.push(device, message, position, previous);
    this.saw(device, message);
  }

  private isText(text: string, messageId: string): boolean {
    return (
      text.length === NUMBER_DIGITS + this.filler.length &&
      text.endsWith(this.filler) &&
      text.startsWith(messageId.slice(-NUMBER_DIGITS))
    );
  }

  private saw(device: number, message: number): void {
    if (!this.seen.add(message, this.slotOf[device]!)) return;
    const now = monotonicMs();
    this.lastEventMs = now;
    const acked = !Number.isNaN(this.ledger.positionOf(message));
    if (acked && this.seen.byAll(message)) this.completed(now);
    if (device === this.arrivals.sender[message]) return;
    this.reading?.onMessage(device, this.scanner.position, now);
    if (message >= this.firstOfRun) {
      const atMs = this.arrivals.atMs[message]!;
      this.deliveredLatency.record(now - this.startMs - atMs);
      this.sliceOf(atMs)?.record(now - this.startMs - atMs);
      this.churn?.message('delivered', atMs, now - this.startMs - atMs);
    }
  }

  /** The stretch of the run phase in which a message was to be sent. */
  private sliceOf(atMs: number): Latency | undefined {
    const { sliceMs, warmupMs } = this.plan;
    return sliceMs === null ? undefined : this.slices[Math.floor((atMs - warmupMs) / sliceMs)];
  }

  private completed(now: number): void {
    this.complete++;
    this.lastCompleteMs = now;
  }

  private onOther(device: number, text: string): void {
    this.lastEventMs = monotonicMs();
    this.other.take(device, text, (id) => this.messageOf(id));
  }

  private async drain(endAt: number): Promise<void> {
    const limit = endAt + this.plan.drainMs;
    this.lastEventMs = monotonicMs();
    for (;;) {
      this.sendDue();
      const open = this.nextSend - this.other.failedSends - this.complete;
      const now = monotonicMs();
      const silent = now - this.lastEventMs > DRAIN_SILENCE_MS;
      const done = open <= 0 && (this.reading?.done() ?? true) && (this.churn?.done(now) ?? true);
      if (done || now > limit || silent) return;
      await until(now + DRAIN_POLL_MS);
    }
  }

  private highest(): number[] {
    const highest = new Array<number>(this.plan.partitions).fill(-1);
    for (const { partition, position } of this.logged(0)) {
      highest[partition] = Math.max(highest[partition] ?? -1, position);
    }
    return highest;
  }

  private loggedInRun(): Iterable<LoggedMessage> {
    return this.logged(this.firstOfRun);
  }

  private *logged(from: number): Generator<LoggedMessage> {
    const partitions = this.plan.conversations.map((_, conversation) =>
      this.partition(conversation),
    );
    for (let message = from; message < this.nextSend; message++) {
      const position = this.ledger.positionOf(message);
      if (Number.isNaN(position)) continue;
      const partition = partitions[this.ledger.conversationOfMessage(message)]!;
      yield { partition, position, scheduledMs: this.startMs + this.arrivals.atMs[message]! };
    }
  }
}

function readingOf(plan: RunPlan, connections: Connections, random: Random): Reading | null {
  if (plan.readWithinMs === null) return null;
  return new Reading({
    conversations: plan.conversations,
    withinMs: plan.readWithinMs,
    random,
    userIds: connections.devices.map(({ userId }) => userId),
    send: (device, frame) => connections.send(device, frame),
  });
}

function until(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms - monotonicMs())));
}
