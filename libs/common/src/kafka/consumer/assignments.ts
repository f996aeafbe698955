import { Assignment, partitionKey } from './assignment';
import type { AssignmentContext, PartitionLifecycle } from './log-handler';
import type { LogOffsets, PartitionBounds } from '../offsets/log-offsets';

/** Controls the fetching of one partition. Never throws, even when the consumer is gone. */
export interface PartitionControl {
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  seek(topic: string, partition: number, offset: bigint): void;
}

/** A gap in what was read: the records between `expected` and `found` were never seen. */
export interface LogGap {
  topic: string;
  partition: number;
  /** Offset that should have come next. */
  expected: bigint;
  /** Offset from which the log can be read; below `expected` if the log is shorter than it was. */
  found: bigint;
  /**
   * `stop`: the partition stays stopped until an operator decides. `skip`: reading went on at
   * `found`.
   */
  action: 'stop' | 'skip';
}

/** Offsets of one topic, by partition. */
interface Lookup {
  committed: (bigint | null)[];
  bounds: PartitionBounds[];
}

export interface AssignmentsOptions {
  groupId: string;
  offsets: LogOffsets;
  control: PartitionControl;
  /** Listeners for the partitions of a topic, in this order. */
  lifecycles(topic: string): PartitionLifecycle[];
  /** Everything below `next` was applied before, but the group's offset is further back. */
  ahead(topic: string, partition: number, next: bigint): void;
  /** A partition starts. `end`: offset after the last record. */
  begins(topic: string, partition: number, end: bigint): void;
  onGap: 'stop' | 'skip';
  reportGap(gap: LogGap): void;
  reportError(error: unknown, what: string): void;
  /** Pause in milliseconds before the nth attempt to load a partition. */
  backoff(failures: number): number;
}

/** The partitions of one consumer. Each GROUP_JOIN ends all assignments and starts new ones. */
export class Assignments {
  private current = new Map<string, Assignment>();
  private revocations: Promise<unknown> = Promise.resolve();
  /** By topic: look-ups in progress for the newest join, shared by its partitions. */
  private lookups = new Map<string, Promise<Lookup>>();

  constructor(private readonly options: AssignmentsOptions) {}

  /**
   * Takes over what the group assigned. Pauses the partitions before it returns, so that nothing is
   * fetched before their state is loaded.
   */
  join(assigned: Record<string, number[]>): void {
    void this.endAll();
    this.lookups = new Map();
    for (const [topic, partitions] of Object.entries(assigned)) {
      for (const partition of partitions) {
        const assignment = new Assignment(topic, partition);
        this.current.set(partitionKey(topic, partition), assignment);
        this.options.control.pause(topic, partition);
        void this.load(assignment);
      }
    }
  }

  /** Ends all assignments. Resolves when all listeners have returned. */
  endAll(): Promise<unknown> {
    const ended = [...this.current.values()];
    this.current.clear();
    const told = ended.map((assignment) => {
      assignment.end();
      return assignment.announced ? this.revoke(assignment) : undefined;
    });
    this.revocations = Promise.all([this.revocations, ...told]);
    return this.revocations;
  }

  get(topic: string, partition: number): Assignment | undefined {
    return this.current.get(partitionKey(topic, partition));
  }

  all(): Assignment[] {
    return [...this.current.values()];
  }

  /** True when no partition is still loading its state. */
  loaded(): boolean {
    return this.all().every((assignment) => assignment.state !== 'loading');
  }

  /**
   * The log does not continue where it should: stops the partition or goes on at `found`, as
   * configured. Returns whether reading goes on.
   */
  gap(assignment: Assignment, found: bigint): boolean {
    const { topic, partition, expected } = assignment;
    const action = this.options.onGap;
    if (action === 'stop') {
      assignment.state = 'stopped';
      this.options.control.pause(topic, partition);
    } else {
      assignment.expected = found;
    }
    this.options.reportGap({ topic, partition, expected, found, action });
    return action === 'skip';
  }

  /** A fetch was out of range: looks up the log's bounds, then handles it like any gap. */
  outOfRange(topic: string, partition: number): void {
    const assignment = this.get(topic, partition);
    if (!assignment || assignment.state !== 'running') return;
    assignment.state = 'loading';
    this.options.control.pause(topic, partition);
    void this.locate(assignment);
  }

  private async load(assignment: Assignment): Promise<void> {
    const { topic, partition } = assignment;
    try {
      await this.revocations;
      const context = await this.context(assignment);
      if (assignment.ended) return;
      assignment.announced = true;
      let start = context.committed ?? context.low;
      for (const lifecycle of this.options.lifecycles(topic)) {
        const answer = await lifecycle.assigned?.(topic, partition, context);
        start = answer?.seek ?? start;
        if (assignment.ended) return;
      }
      this.begin(assignment, start, context);
    } catch (error) {
      if (assignment.ended) return;
      this.options.reportError(error, `loading ${topic}/${partition}`);
      assignment.failures++;
      assignment.later(this.options.backoff(assignment.failures), () => void this.load(assignment));
    }
  }

  private async locate(assignment: Assignment): Promise<void> {
    try {
      const context = await this.context(assignment);
      if (!assignment.ended) this.begin(assignment, assignment.expected, context);
    } catch (error) {
      if (assignment.ended) return;
      this.options.reportError(error, `locating ${assignment.topic}/${assignment.partition}`);
      assignment.failures++;
      const pause = this.options.backoff(assignment.failures);
      assignment.later(pause, () => void this.locate(assignment));
    }
  }

  private begin(assignment: Assignment, start: bigint, context: AssignmentContext): void {
    const { topic, partition } = assignment;
    const { low, high, committed } = context;
    assignment.expected = start;
    assignment.committed = committed;
    this.options.begins(topic, partition, high);
    if ((start < low || start > high) && !this.gap(assignment, low)) return;
    assignment.failures = 0;
    assignment.state = 'running';
    this.options.control.seek(topic, partition, assignment.expected);
    this.options.control.resume(topic, partition);
    const { expected } = assignment;
    if (expected > (committed ?? low)) this.options.ahead(topic, partition, expected);
  }

  private async context({ topic, partition }: Assignment): Promise<AssignmentContext> {
    const { committed, bounds } = await this.lookup(topic);
    const found = bounds[partition];
    if (!found) throw new Error(`${topic} has no partition ${partition}`);
    return { committed: committed[partition] ?? null, ...found };
  }

  private lookup(topic: string): Promise<Lookup> {
    const { lookups } = this;
    const underWay = lookups.get(topic);
    if (underWay) return underWay;
    const { offsets, groupId } = this.options;
    const lookup = Promise.all([
      offsets.fetchGroupOffsets(groupId, topic),
      offsets.logBounds(topic),
    ])
      .then(([committed, bounds]) => ({ committed, bounds }))
      .finally(() => lookups.delete(topic));
    lookups.set(topic, lookup);
    return lookup;
  }

  private async revoke({ topic, partition }: Assignment): Promise<void> {
    for (const lifecycle of this.options.lifecycles(topic)) {
      try {
        await lifecycle.revoked?.(topic, partition);
      } catch (error) {
        this.options.reportError(error, `revoking ${topic}/${partition}`);
      }
    }
  }
}
