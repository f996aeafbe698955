import type { SyncedBody, SyncRequest } from '@tidings/protocol/frames';
import { callApi, inParallel } from '../api';
import { monotonicMs } from '../clock';
import { ErrorList } from '../ledger-report';
import { seededRandom } from '../random';
import type { ConnectsPlan, ConnectsResult, SyncErrorType } from './connects-protocol';
import { Latency } from './latency';
import type { Phase } from './protocol';
import { firstAtOrAfter, poissonArrivals } from './schedule';
import { checkAnswer, type Held, heldAfter } from './sync-check';
import { syncBySocket, type SyncTimes } from './sync-by-socket';

const LEAD_MS = 200;
const LEARN_CONCURRENCY = 4;
/** A call that was answered `delayed` is made again after this time, in all for so long, milliseconds. */
const AGAIN_MS = 1_000;
const DELAYED_MS = 15_000;

/** How a sync is asked: by a socket of its own or by one call. */
export type SyncWay = 'socket' | 'post';

/** Open-loop syncs: each is started by the schedule, whatever became of those before. */
export class SyncRun {
  /** what each user's device holds */
  private readonly held = new Map<string, Held>();

  /** Runs one schedule of syncs. Settles when all of them have. */
  async run(
    plan: ConnectsPlan,
    way: SyncWay,
    onPhase: (phase: Phase) => void,
  ): Promise<ConnectsResult> {
    const schedule = new Schedule(plan, (device, atMs, counts) =>
      this.one(plan, way, device, atMs, counts),
    );
    return schedule.run(onPhase);
  }

  /**
   * Devices that hold nothing yet get what there is, unmeasured. Then all of them ask once more: storage keeps what it has
   * counted behind its answers, as far as it has the time, and counts the rest at the next sync.
   */
  async learn({ entrance, devices }: ConnectsPlan): Promise<void> {
    if (entrance.kind !== 'directory') throw new Error('calls go to the product only');
    const lacking = devices.filter(({ userId }) => !this.held.has(userId));
    await inParallel(lacking.length, LEARN_CONCURRENCY, async (index) => {
      const { userId, token } = lacking[index]!;
      const { body } = await post(entrance.httpUrls, index, token, {});
      this.held.set(userId, heldAfter([body]));
    });
    await inParallel(devices.length, LEARN_CONCURRENCY, async (index) => {
      const { userId, token } = devices[index]!;
      await post(entrance.httpUrls, index, token, this.held.get(userId) ?? {});
    });
  }

  private async one(
    plan: ConnectsPlan,
    way: SyncWay,
    index: number,
    atMs: number,
    counts: Counts,
  ): Promise<void> {
    const { entrance, devices, expected, kind } = plan;
    const device = devices[index]!;
    const request = kind === 'equal' ? (this.held.get(device.userId) ?? {}) : {};
    let wrong = false;
    const error = (type: SyncErrorType, what: () => string): void => {
      wrong = true;
      counts.errors.add(type, () => `user ${index}: ${what()}`);
    };
    try {
      let bodies: SyncedBody[];
      if (way === 'socket') {
        const answer = await syncBySocket(entrance, { device, index }, request);
        bodies = answer.bodies;
        counts.delayed += answer.delayed;
        counts.connected(atMs, answer.times);
      } else {
        const urls = entrance.kind === 'directory' ? entrance.httpUrls : [];
        const answer = await post(urls, index, device.token, request);
        bodies = [answer.body];
        counts.delayed += answer.delayed;
        counts.called(atMs, monotonicMs());
      }
      checkAnswer(kind, expected[index]!, bodies, error);
      if (!wrong && kind === 'new') this.held.set(device.userId, heldAfter(bodies));
    } catch (failure) {
      error('failed', () => (failure instanceof Error ? failure.message : String(failure)));
    }
    if (!wrong) counts.right++;
  }
}

/** The figures of one run; only those of the run phase count as latencies. */
class Counts {
  right = 0;
  delayed = 0;
  readonly errors = new ErrorList<SyncErrorType>();
  readonly latency = {
    ticket: new Latency(),
    upgraded: new Latency(),
    synced: new Latency(),
    closed: new Latency(),
  };

  constructor(private readonly runFromMs: number) {}

  connected(atMs: number, times: SyncTimes): void {
    if (atMs < this.runFromMs) return;
    this.latency.ticket.record(times.ticketMs - atMs);
    this.latency.upgraded.record(times.syncedMs - times.upgradeMs);
    this.latency.synced.record(times.syncedMs - atMs);
    this.latency.closed.record(times.closedMs - atMs);
  }

  called(atMs: number, answeredMs: number): void {
    if (atMs >= this.runFromMs) this.latency.synced.record(answeredMs - atMs);
  }
}

/** Starts work at Poisson arrivals, for the devices in turn; one that is still at it is passed over. */
class Schedule {
  private turn = 0;

  constructor(
    private readonly plan: ConnectsPlan,
    private readonly start: (device: number, atMs: number, counts: Counts) => Promise<void>,
  ) {}

  async run(onPhase: (phase: Phase) => void): Promise<ConnectsResult> {
    const { seed, ratePerSecond, warmupMs, runMs, devices } = this.plan;
    const durationMs = warmupMs + runMs;
    const random = seededRandom(seed);
    const { atMs } = poissonArrivals(random, { ratePerSecond, durationMs, senders: 1 });
    const firstOfRun = firstAtOrAfter(atMs, warmupMs);
    const startMs = monotonicMs() + LEAD_MS;
    const counts = new Counts(startMs + warmupMs);
    const lag = new Latency();
    const under = new Set<Promise<void>>();
    const busy = new Set<number>();
    let runStarted = 0;
    for (let i = 0; i < atMs.length; i++) {
      if (i === firstOfRun) {
        await until(startMs + warmupMs);
        onPhase('run');
      }
      const dueMs = startMs + atMs[i]!;
      await until(dueMs);
      const device = this.next(busy, devices.length);
      if (device === null) {
        counts.errors.add('all_busy', () => `at ${Math.round(atMs[i]!)} ms`);
        continue;
      }
      if (i >= firstOfRun) {
        lag.record(monotonicMs() - dueMs);
        runStarted++;
      }
      busy.add(device);
      const work = this.start(device, dueMs, counts).finally(() => {
        under.delete(work);
        busy.delete(device);
      });
      under.add(work);
    }
    await until(startMs + durationMs);
    onPhase('end');
    await Promise.all(under);
    const { ticket, upgraded, synced, closed } = counts.latency;
    return {
      scheduled: atMs.length,
      runScheduled: atMs.length - firstOfRun,
      runStarted,
      right: counts.right,
      delayed: counts.delayed,
      latency: {
        ticket: ticket.summary(),
        upgraded: upgraded.summary(),
        synced: synced.summary(),
        closed: closed.summary(),
      },
      scheduleLag: lag.summary(),
      errors: counts.errors.list(),
    };
  }

  private next(busy: ReadonlySet<number>, devices: number): number | null {
    for (let tries = 0; tries < devices; tries++) {
      const device = this.turn++ % devices;
      if (!busy.has(device)) return device;
    }
    return null;
  }
}

/** One sync by a call; a server that is behind (`delayed`) is asked again, as often as its patience lasts. */
async function post(
  urls: readonly string[],
  turn: number,
  token: string,
  request: SyncRequest,
): Promise<{ body: SyncedBody; delayed: number }> {
  const base = urls[turn % urls.length]!;
  const call = { base, method: 'POST', path: '/v1/sync', token, body: request } as const;
  const untilMs = monotonicMs() + DELAYED_MS;
  for (let delayed = 0; ; delayed++) {
    const body = (await callApi(call)) as SyncedBody;
    if (body.delayed !== true || monotonicMs() > untilMs) return { body, delayed };
    await until(monotonicMs() + AGAIN_MS);
  }
}

function until(ms: number): Promise<void> {
  const wait = ms - monotonicMs();
  return wait <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, wait));
}
