import type { Logger } from '@tidings/common/runtime/logger';
import type { Metrics } from '@tidings/common/runtime/metrics';
import { pause, within } from '@tidings/common/runtime/waiting';
import { GoneSpools, type GoneSpool } from './gone-spools';
import { hasSegments, type SpoolRoot } from './spool-root';
import type { LockedDir } from './spool-store';

/** A spool that is being emptied. */
export interface Emptying {
  /** Messages that are left. */
  readonly entries: number;
  /** Settles when nothing is left, when it was closed, or when another process has taken the spool. */
  readonly ended: Promise<void>;
  /** Ends what is under way and gives the lock back; what is left stays. */
  close(): Promise<void>;
}

export interface SpoolAdoptionParts {
  nodeId: string;
  root: Pick<SpoolRoot, 'list' | 'adopt' | 'remove'>;
  /** Where this process holds its own sends. */
  ownDir: string;
  /** Ids of the gateways in the directory. Rejects without Redis. */
  live: () => Promise<readonly string[]>;
  /** Whether the log takes records, for all that one can see. */
  logAnswers: () => Promise<boolean>;
  /** Begins to empty a spool that is this process's now. */
  empty: (place: LockedDir) => Promise<Emptying>;
  metrics: Pick<Metrics, 'counter' | 'gauge'>;
  logger: Pick<Logger, 'warn' | 'error'>;
  /** Monotonic milliseconds. */
  clock: () => number;
  lookEveryMs?: number;
}

const LOOK_MS = 2_000;
/** A spool without messages is removed when nothing was seen of its process for so long, milliseconds. */
const EMPTY_AFTER_MS = 10 * 60_000;
/** A spool that cannot be emptied is told of this often, milliseconds. */
const TELL_MS = 60_000;
/** A stop waits so long for a spool that is being opened, milliseconds. */
const STOP_MS = 2_000;

/**
 * Sends what gateways that are gone have left on the shared volume: one spool at a time, by the rules by which
 * a gateway sends its own. Looks for them all the time; takes one while the log answers.
 */
export class SpoolAdoption {
  private readonly gone: GoneSpools;
  private readonly stopping = new AbortController();
  private readonly adopted;
  private readonly failures;
  private running: Promise<void> = Promise.resolve();
  private adopting: Promise<void> | null = null;
  /** Where the one lies that is taken at the moment. */
  private dir: string | null = null;
  private emptying: Emptying | null = null;
  /** Spools with messages that nobody empties, by the last look. */
  private left = 0;
  private toldAt = -Infinity;

  constructor(private readonly parts: SpoolAdoptionParts) {
    const { metrics, nodeId } = parts;
    this.gone = new GoneSpools(nodeId);
    this.adopted = metrics.counter('spools_adopted_total', 'Spools taken from gateways gone');
    this.failures = metrics.counter(
      'spool_adoption_failures_total',
      'Spools of gateways gone that could not be looked for, opened or emptied; they are kept, and tried again',
    );
    metrics.gauge('spools_left', 'Spools with messages whose gateway is gone, not taken yet', {
      collect: () => this.left,
    });
    metrics.gauge('spool_adopted_entries', 'Messages left in the spool that was taken last', {
      collect: () => this.emptying?.entries ?? 0,
    });
  }

  start(): void {
    this.running = this.run();
  }

  /** Takes nothing more; what was not sent stays for the next one. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.emptying?.close();
    await this.running;
    // one that connects to a log that is away has nothing to lose
    await within(this.adopting ?? Promise.resolve(), STOP_MS).catch(() => undefined);
  }

  private async run(): Promise<void> {
    const { lookEveryMs = LOOK_MS } = this.parts;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.look().catch((error: unknown) => this.failed(error, null));
      await pause(lookEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private async look(): Promise<void> {
    const { root, ownDir, clock } = this.parts;
    const all = await root.list();
    const spools = all.filter(({ dir }) => dir !== ownDir && dir !== this.dir);
    const gone = this.gone.look({ spools, live: await this.live(), now: clock() });
    const due: GoneSpool[] = [];
    let left = 0;
    for (const spool of gone) {
      const holds = await hasSegments(spool.dir);
      if (holds) left += 1;
      if (holds || spool.silentMs >= EMPTY_AFTER_MS) due.push(spool);
    }
    this.left = left;
    const [next] = due;
    if (!next || this.adopting || this.stopping.signal.aborted) return;
    this.adopting = this.adopt(next)
      .catch((error: unknown) => this.failed(error, next))
      .finally(() => (this.adopting = this.dir = this.emptying = null));
  }

  /** A directory in which this node itself is not says nothing of others. */
  private async live(): Promise<ReadonlySet<string> | null> {
    const { live, nodeId } = this.parts;
    const ids = new Set(await live().catch(() => []));
    return ids.has(nodeId) ? ids : null;
  }

  private async adopt(spool: GoneSpool): Promise<void> {
    const { root, logger, logAnswers, empty, clock } = this.parts;
    if (!(await logAnswers())) return;
    const place = await root.adopt(spool);
    if (!place) return;
    const since = clock();
    this.dir = place.dir;
    const emptying = await empty(place);
    this.emptying = emptying;
    const { entries } = emptying;
    const told = { of: spool.nodeId, dir: place.dir, entries };
    this.adopted.inc();
    logger.warn(told, 'a gateway is gone: what it held is sent from here');
    // it may have been told to stop while it opened
    if (!this.stopping.signal.aborted) await emptying.ended;
    const left = emptying.entries;
    await emptying.close();
    if (left > 0) return;
    await root.remove(place.dir);
    const ms = Math.round(clock() - since);
    logger.warn({ ...told, ms }, 'nothing is left of what a gateway that is gone held');
  }

  private failed(error: unknown, spool: GoneSpool | null): void {
    this.failures.inc();
    const now = this.parts.clock();
    if (now - this.toldAt < TELL_MS) return;
    this.toldAt = now;
    const told = { err: error, of: spool?.nodeId, dir: this.dir ?? spool?.dir };
    this.parts.logger.error(told, 'what a gateway that is gone held cannot be sent');
  }
}
