import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { Assignments } from './assignments';
import { BatchRunner } from './batch-runner';
import { groupTransport } from './batch-from';
import { CatchUp, type ConsumerLag, lagOf } from './consumer-lag';
import { DeadLetters } from './dead-letters';
import { GroupMember, type MemberEvents } from './group-member';
import { leavePredecessor } from './leave-predecessor';
import type { LogConsumerOptions } from './log-consumer-options';
import type { HandleOutcome, LogBatch, PartitionLifecycle } from './log-handler';
import { LogOffsets } from '../offsets/log-offsets';
import { OffsetCommits } from './offset-commits';
import type { LogRecord } from '../../log-events/record';
import { fullJitter, pause } from '../../runtime/waiting';

export type { LogConsumerOptions } from './log-consumer-options';

const COMMIT_INTERVAL_MS = 500;
/** Bounds of an orderly stop: first the running batches, then the last commit. */
const BATCH_GRACE_MS = 5_000;
const COMMIT_GRACE_MS = 2_000;
/**
 * Pause after the nth failure in a row: full jitter below a ceiling that doubles up to the last
 * one.
 */
const BACKOFF = { baseMs: 50, maxMs: 5_000 };

/**
 * One consumer group as a Nest microservice: `app.connectMicroservice({ strategy })`. Batches go to
 * the methods marked `@BatchFrom(topic, groupId)` and to `options.handlers`, one at a time per
 * partition and in order. An offset is committed only after its handler has returned `done`.
 */
export class LogConsumerStrategy extends Server implements CustomTransportStrategy {
  override readonly transportId: symbol;
  /** Nest passes failures of a handler to this class, which retries the batch. */
  override readonly propagatesEventHandlerErrors = true;
  /** Offsets of the log and of this group, over a connection of the strategy's own. */
  readonly offsets: LogOffsets;
  private readonly commits: OffsetCommits;
  private readonly assignments: Assignments;
  private readonly runner: BatchRunner;
  private readonly member: GroupMember;
  private readonly deadLetters: DeadLetters;
  private readonly catchUp = new CatchUp();
  private readonly handlers = new Map<string, (batch: LogBatch) => Promise<HandleOutcome>>();
  private closing: Promise<void> | null = null;

  constructor(private readonly options: LogConsumerOptions) {
    super();
    const { kafka, groupId, random = Math.random } = options;
    this.transportId = groupTransport(groupId);
    this.offsets = new LogOffsets(kafka);
    this.deadLetters = new DeadLetters(kafka, groupId);
    const reportError = (error: unknown, what: string) => options.onError?.(error, what);
    const backoff = (failures: number) => fullJitter(BACKOFF, failures, random);
    this.commits = new OffsetCommits(options.commitInterval ?? COMMIT_INTERVAL_MS, (error) =>
      reportError(error, 'committing offsets'),
    );
    this.member = new GroupMember(options, this.memberEvents());
    const common = { control: this.member, reportError, backoff };
    this.assignments = new Assignments({
      ...common,
      groupId,
      offsets: this.offsets,
      lifecycles: (topic) => this.lifecycles(topic),
      // what the previous owner applied but could not commit would look like a lag
      ahead: (topic, partition, next) =>
        this.commits.mark(topic, partition, next, (offsets) => this.member.commit(offsets)),
      begins: (topic, partition, end) => this.catchUp.begins(topic, partition, end),
      onGap: options.onGap ?? 'stop',
      reportGap: (gap) => options.gapFound?.(gap),
    });
    this.runner = new BatchRunner({
      ...common,
      assignments: this.assignments,
      commits: this.commits,
      handle: (batch) => this.handle(batch),
      random,
      onBatch: (batch) => options.onBatch?.(batch),
      onRetry: (retry) => options.onRetry?.(retry),
    });
  }

  /**
   * Joins the group. Calls back after the first join, or with the error that makes it impossible.
   */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  /** Like {@link listen}, for use without Nest. */
  async start(): Promise<void> {
    const topics = this.collectHandlers();
    if (topics.length === 0) throw new Error(`group ${this.options.groupId} has no handler`);
    const { kafka, groupId, memberStore } = this.options;
    // ready when the first partitions are assigned
    for (const topic of topics) void this.offsets.open(topic).catch(() => undefined);
    if (memberStore) await leavePredecessor(kafka, groupId, memberStore);
    await this.member.start(topics);
  }

  /**
   * Takes no new batch, lets the running ones finish, commits, leaves the group. May be called
   * twice.
   */
  close(): Promise<void> {
    this.closing ??= this.stop();
    return this.closing;
  }

  /**
   * True when the group has assigned partitions (perhaps none), the state of all is loaded, and
   * everything that was in the log when this process started is read.
   */
  isReady(): boolean {
    if (!this.member.isJoined() || !this.assignments.loaded()) return false;
    return this.catchUp.isDone(this.assignments.all(), Date.now());
  }

  /** How far this member is behind. Rejects when Kafka does not answer within `timeoutMs`. */
  async lag(timeoutMs: number): Promise<ConsumerLag> {
    const now = Date.now();
    const topics = [...new Set(this.assignments.all().map(({ topic }) => topic))];
    const found = await Promise.all(
      topics.map((topic) => this.offsets.highWatermarks(topic, timeoutMs)),
    );
    const ends = new Map(topics.map((topic, i) => [topic, found[i]!]));
    return lagOf(this.assignments.all(), ends, now);
  }

  /**
   * Whether this consumer owns a partition and has heard from the group within the last `withinMs`
   * milliseconds. The owner of partition 0 is the leader for singleton duties.
   */
  owns(topic: string, partition: number, withinMs = 5_000): boolean {
    const assignment = this.assignments.get(topic, partition);
    return assignment !== undefined && this.member.heardWithin(withinMs);
  }

  /** Moves a record that can never be applied to `<topic>.<group>.dlq`. Rejects when that fails. */
  deadLetter(record: LogRecord, reason: string): Promise<void> {
    return this.deadLetters.put(record, reason);
  }

  /** Part of Nest's interface; this transport has no events for it. */
  on(): void {}

  /** Part of Nest's interface: the offsets' look-up. */
  unwrap<T>(): T {
    return this.offsets as T;
  }

  private collectHandlers(): string[] {
    for (const [pattern, handler] of this.messageHandlers) {
      this.handlers.set(pattern, async (batch) => {
        const result: unknown = await handler(batch);
        return (isObservable(result) ? await lastValueFrom(result) : result) as HandleOutcome;
      });
    }
    for (const [topic, handler] of Object.entries(this.options.handlers ?? {})) {
      this.handlers.set(topic, (batch) => handler.handle(batch));
    }
    return [...this.handlers.keys()];
  }

  private async handle(batch: LogBatch): Promise<HandleOutcome> {
    const outcome = await this.handlers.get(batch.topic)?.(batch);
    if (!outcome) throw new Error(`the handler of ${batch.topic} returned no outcome`);
    return outcome;
  }

  private memberEvents(): MemberEvents {
    return {
      joined: (assigned, memberId) => this.joined(assigned, memberId),
      rebalancing: () => void this.commits.flush(),
      lost: () => {
        this.commits.forget();
        void this.assignments.endAll();
      },
      outOfRange: (topic, partition) => this.assignments.outOfRange(topic, partition),
      batch: (payload) => this.runner.run(payload),
      reportError: (error, what) => this.options.onError?.(error, what),
    };
  }

  private lifecycles(topic: string): PartitionLifecycle[] {
    const { handlers, lifecycle } = this.options;
    return [handlers?.[topic], lifecycle].filter((one) => one !== undefined);
  }

  private joined(assigned: Record<string, number[]>, memberId: string): void {
    const { memberStore, onJoined, onError } = this.options;
    this.commits.forget();
    this.assignments.join(assigned);
    memberStore?.save(memberId).catch((error: unknown) => onError?.(error, 'saving the member id'));
    onJoined?.(assigned);
  }

  private async stop(): Promise<void> {
    this.member.closing();
    await this.runner.close(BATCH_GRACE_MS);
    await Promise.race([this.commits.flush(), pause(COMMIT_GRACE_MS, undefined, { ref: false })]);
    await this.member.stop();
    this.commits.forget();
    await this.assignments.endAll();
    await this.deadLetters.close();
    this.offsets.close();
  }
}
