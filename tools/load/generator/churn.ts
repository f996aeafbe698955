import type { Presence } from '@tidings/protocol/http';
import { callApi, inParallel, patiently } from '../api';
import { monotonicMs } from '../clock';
import { type ActKind, PresenceLedger, type Word, sameWord } from '../presence-ledger';
import { type Random, randomBelow } from '../random';
import type { ChurnRates } from '../workload';
import type { Connections } from './connections';
import { encodeClientFrame } from './frame-codec';
import { Latency, type LatencyCounts } from './latency';
import { Pacemaker } from './pacemaker';
import type { Phase, PresenceResult, RunPlan } from './protocol';
import { type Arrivals, poissonArrivals } from './schedule';
import { type TurnKind, Turns } from './turns';

/** Nobody changes more often: what changes twice within a second is told once, or not at all. */
const LEAST_GAP_MS = 2_000;
/** How long somebody who has closed is away. */
const AWAY_MS = 2_000;
/** How long all watchers together may wait for the answers to their first lists. */
const ANSWERS_MS = 60_000;
const POLL_MS = 50;
const COMPARE_CONCURRENCY = 8;
/** What somebody is told and what they get when they ask disagree for no longer than a second. */
const DISAGREE_MS = 1_000;
const COMPARE_TRIES = 3;

function frameOf(frame: object): Buffer {
  return encodeClientFrame(Buffer.from(JSON.stringify(frame)));
}

const STATES = {
  front: frameOf({ type: 'state', mode: 'front' }),
  background: frameOf({ type: 'state', mode: 'background' }),
} as const;

export interface ChurnPlan
  extends ChurnRates, Pick<RunPlan, 'conversations' | 'warmupMs' | 'runMs'> {
  random: Random;
}

/** Somebody whose presence changes. */
interface Changer {
  device: number;
  inFront: boolean;
  /** when they did something last, monotonic milliseconds */
  actedMs: number;
}

/**
 * Presence that changes while messages are sent: all devices watch some others; those that are in no
 * conversation change by `state`, or close and come back, open loop. Whoever has done nothing for
 * longest is the next.
 */
export class Churn {
  readonly marks: readonly { atMs: number; phase: Phase }[];
  private readonly ledger: PresenceLedger;
  private readonly turns: Turns;
  private readonly arrivals: Arrivals;
  private readonly seen = { state: new Latency(), close: new Latency(), connect: new Latency() };
  private readonly messages = { calm: latencies(), churn: latencies() };
  private readonly lag = new Latency();
  private readonly deviceOf: ReadonlyMap<string, number>;
  /** those who are here, in the order in which they acted */
  private readonly waiting: Changer[];
  private readonly returning = new Set<Promise<void>>();
  private pacemaker: Pacemaker | null = null;
  private startMs = 0;
  private next = 0;
  private runDone = 0;
  private runChanges = 0;
  private compared = 0;

  constructor(
    private readonly connections: Connections,
    private readonly plan: ChurnPlan,
  ) {
    const { random, changes, reconnects, watched, conversations, warmupMs, runMs } = plan;
    const users = connections.devices.length;
    this.turns = new Turns(warmupMs, runMs);
    this.marks = this.turns.all.flatMap(({ kind, measuredFromMs, toMs }) => [
      { atMs: measuredFromMs, phase: kind },
      { atMs: toMs, phase: 'turned' as const },
    ]);
    this.deviceOf = new Map(connections.devices.map(({ userId }, device) => [userId, device]));
    const offsets = someOf(random, users - 1, watched).map((one) => one + 1);
    this.ledger = new PresenceLedger(users, offsets, (kind, ms) => this.seen[kind].record(ms));
    const talkers = conversations.reduce((sum, { devices }) => sum + devices.length, 0);
    this.waiting = someOf(random, users - talkers, users - talkers).map((one): Changer => {
      return { device: talkers + one, inFront: true, actedMs: 0 };
    });
    const rate = changes + reconnects;
    const durationMs = this.turns.churnMs;
    this.arrivals = poissonArrivals(random, { ratePerSecond: rate, durationMs, senders: rate });
    const { atMs } = this.arrivals;
    for (let i = 0; i < atMs.length; i++) atMs[i] = this.turns.whenOf(atMs[i]!);
  }

  /** All devices send their lists; settles when they are answered. Rejects when they are not in time. */
  async watch(): Promise<void> {
    const { devices } = this.connections;
    const began = monotonicMs();
    // all of them first: an answer is older than what is noted behind it
    devices.forEach((_, device) => this.did(device, 'online', 'connect', began));
    devices.forEach((_, device) => this.sendList(device));
    while (this.ledger.unanswered() > 0) {
      if (monotonicMs() - began > ANSWERS_MS) {
        throw new Error(`${this.ledger.unanswered()} of the watched users were not told in time`);
      }
      await pause(POLL_MS);
    }
  }

  /** Begins the schedule. */
  start(startMs: number, failed: (error: Error) => void): void {
    this.startMs = startMs;
    const { atMs } = this.arrivals;
    const ratePerSecond = this.plan.changes + this.plan.reconnects;
    this.pacemaker = new Pacemaker({ atMs, startMs, ratePerSecond }, () => this.due(), failed);
  }

  /** Ends the schedule; who has left comes back first. */
  async stop(): Promise<void> {
    await this.pacemaker?.stop();
    await Promise.all(this.returning);
  }

  /** A device was told of a user. */
  told(device: number, userId: string, word: Word, nowMs: number): void {
    this.ledger.told(device, this.deviceOf.get(userId) ?? -1, word, nowMs);
  }

  /** A message got somewhere; `atMs` since the start, when it was to be sent. */
  message(what: 'sent' | 'delivered', atMs: number, ms: number): void {
    const kind = this.turns.measured(atMs);
    if (kind) this.messages[kind][what].record(ms);
  }

  /** Whether everything has happened, and nobody waits to see it. */
  done(nowMs: number): boolean {
    this.due();
    const over = this.next === this.arrivals.atMs.length && this.returning.size === 0;
    return over && this.ledger.waiting(nowMs) === 0;
  }

  /** Asks for each watcher what it was told last. */
  async compare(urls: readonly string[]): Promise<void> {
    const { devices } = this.connections;
    await inParallel(devices.length, COMPARE_CONCURRENCY, async (device) => {
      let wrong = await this.disagreements(urls, device);
      for (let tries = 1; wrong.length > 0 && tries < COMPARE_TRIES; tries++) {
        await pause(DISAGREE_MS);
        wrong = await this.disagreements(urls, device);
      }
      this.compared += this.ledger.lastWords(device).length;
      for (const text of wrong) this.ledger.errors.add('last_word', () => text);
    });
  }

  /** What became of it; whatever was not seen by now is lost. */
  result(nowMs: number): PresenceResult<LatencyCounts> {
    const sights = this.ledger.end(nowMs);
    const { atMs } = this.arrivals;
    const { state, close, connect } = this.seen;
    const counts = (kind: TurnKind): PresenceResult<LatencyCounts>['messages'][TurnKind] => {
      const { sent, delivered } = this.messages[kind];
      return { sent: sent.counts(), delivered: delivered.counts() };
    };
    return {
      seen: { state: state.counts(), close: close.counts(), connect: connect.counts() },
      messages: { calm: counts('calm'), churn: counts('churn') },
      scheduled: atMs.length,
      runScheduled: atMs.filter((at) => this.turns.measured(at) !== null).length,
      runDone: this.runDone,
      runChanges: this.runChanges,
      scheduleLag: this.lag.counts(),
      sights,
      compared: this.compared,
      errors: this.ledger.wrong(),
    };
  }

  private due(): void {
    const { atMs, sender } = this.arrivals;
    for (let now = monotonicMs(); this.next < atMs.length; now = monotonicMs()) {
      const at = atMs[this.next]!;
      if (this.startMs + at > now) return;
      // one that would change too soon is passed over
      const one = this.waiting[0];
      if (one && now - one.actedMs >= LEAST_GAP_MS) {
        this.waiting.shift();
        one.actedMs = now;
        const counts = this.turns.measured(at) !== null;
        if (sender[this.next]! < this.plan.changes) this.change(one, this.startMs + at, counts);
        else this.close(one, this.startMs + at, counts);
        if (counts) {
          this.runDone++;
          this.lag.record(monotonicMs() - this.startMs - at);
        }
      }
      this.next++;
    }
  }

  private change(one: Changer, atMs: number, counts: boolean): void {
    const { device } = one;
    one.inFront = !one.inFront;
    this.did(device, one.inFront ? 'online' : 'away', 'state', atMs, counts);
    this.connections.send(device, one.inFront ? STATES.front : STATES.background);
    if (counts) this.runChanges++;
    this.waiting.push(one);
  }

  private close(one: Changer, atMs: number, counts: boolean): void {
    const { device } = one;
    this.ledger.leaves(device, one.actedMs);
    this.did(device, 'offline', 'close', atMs, counts);
    this.connections.leave(device);
    const back = this.comeBack(one).finally(() => this.returning.delete(back));
    this.returning.add(back);
  }

  /** Never rejects: who does not get in is an error of the run. */
  private async comeBack(one: Changer): Promise<void> {
    const { device } = one;
    await pause(AWAY_MS);
    try {
      await this.connections.comeBack(device, () => {
        one.actedMs = monotonicMs();
        one.inFront = true;
        const counts = this.turns.measured(one.actedMs - this.startMs) === 'churn';
        this.did(device, 'online', 'connect', one.actedMs, counts);
      });
      this.sendList(device);
      this.waiting.push(one);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.ledger.errors.add('not_connected', () => `user ${device}: ${reason}`);
    }
  }

  private did(
    device: number,
    status: Presence['status'],
    kind: ActKind,
    atMs: number,
    counts = false,
  ): void {
    this.ledger.act(device, { kind, status, atMs, wallMs: Date.now(), counts });
  }

  private sendList(device: number): void {
    this.ledger.watches(device, monotonicMs());
    const watched = this.ledger.watchedBy(device);
    const userIds = watched.map((user) => this.connections.devices[user]!.userId);
    this.connections.send(device, frameOf({ type: 'watch', userIds }));
  }

  private async disagreements(urls: readonly string[], device: number): Promise<string[]> {
    const { devices } = this.connections;
    const words = this.ledger.lastWords(device);
    if (words.length === 0) return [];
    const ids = words.map(({ user }) => devices[user]!.userId).join(',');
    const { items } = (await patiently((attempt) =>
      callApi({
        base: urls[(device + attempt) % urls.length]!,
        method: 'GET',
        path: `/v1/presence?userIds=${ids}`,
        token: devices[device]!.token,
      }),
    )) as { items: Presence[] };
    const answers = new Map(items.map((item) => [item.userId, item]));
    // what it was told while it asked counts, too
    return this.ledger.lastWords(device).flatMap(({ user, word }) => {
      const answer = answers.get(devices[user]!.userId);
      if (word && answer && sameWord(word, answer)) return [];
      return [`user ${device} was told of ${user}: ${said(word)}; GET says ${said(answer)}`];
    });
  }
}

function said(word: Word | null | undefined): string {
  return word ? `${word.status} (${word.lastSeenAt}, ${word.activeAt})` : 'nothing';
}

function latencies(): { sent: Latency; delivered: Latency } {
  return { sent: new Latency(), delivered: new Latency() };
}

/** `count` different ones of the numbers below `below`, in random order. */
function someOf(random: Random, below: number, count: number): number[] {
  const all = Array.from({ length: below }, (_, i) => i);
  for (let i = 0; i < count; i++) {
    const other = i + randomBelow(random, below - i);
    [all[i], all[other]] = [all[other]!, all[i]!];
  }
  return all.slice(0, count);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
