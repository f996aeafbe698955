import type { LedgerReport, ListedError } from '../ledger-report';
import type { PresenceErrorType, SightCounts } from '../presence-ledger';
import type { ProgressSamples } from '../stored-latency';
import type { ConnectsPlan, ConnectsResult } from './connects-protocol';
import type { DevicePlan, Entrance } from './devices';
import type { LatencyCounts, LatencySummary } from './latency';
import type { LoopLag } from './loop-lag';
import type { TurnKind } from './turns';
import type { ChurnRates } from '../workload';

export type { DevicePlan, Entrance } from './devices';

/** Devices that write to each other; each is in one conversation only, all of which have as many. */
export interface ConversationPlan {
  conversationId: string;
  /** indices of the devices */
  devices: number[];
}

/** Opens sockets for further devices; answered by {@link ConnectResult}. */
export interface ConnectPlan {
  entrance: Entrance;
  devices: DevicePlan[];
  /** index of each of them among the devices of all generators */
  indices: number[];
  concurrency: number;
}

/** How many sockets are open, by `host:port` of the gateway. */
export interface ConnectResult {
  open: number;
  byGateway: Record<string, number>;
  /** devices that are not on the gateway that was wanted */
  misplaced: number;
  /** what the gateway told in `welcome.limits` */
  limits: Record<string, number>;
  ms: number;
}

/** What a generator has to send, and when: its part of one schedule, which all of them make from the same seed. */
export interface RunPlan {
  seed: number;
  /** of all generators */
  ratePerSecond: number;
  /** devices that send, of all generators; theirs are the indices below */
  senders: number;
  warmupMs: number;
  runMs: number;
  /** longest wait for answers and deliveries after the last send */
  drainMs: number;
  textBytes: number;
  /** its own */
  conversations: ConversationPlan[];
  /** every device reads what has come within this time; null: nobody reads */
  readWithinMs: number | null;
  /** presence changes in turns; null: nobody watches */
  churn: ChurnRates | null;
  /** latencies are told by stretches of this length, too; null: they are not */
  sliceMs: number | null;
  /** partitions of the log */
  partitions: number;
  /** base addresses for reading holes from the history; empty: no repair */
  historyUrls: string[];
}

/** Begins a run that is prepared; answered by {@link Drained} when everything has arrived or waiting is over. */
export interface StartPlan {
  /** monotonic ms at which the schedule begins, the same for all generators */
  startMs: number;
}

/** State after a run, before the store is looked at. */
export interface Drained {
  /** highest position that was acknowledged, per partition; -1: none */
  highest: number[];
  /** monotonic ms at the end of the last phase */
  endMs: number;
}

/** How to look into the store after the run. */
export interface FinishPlan {
  /** null: only the history tells what is stored */
  store: {
    databaseUrl: string;
    /** ($1 conversation ids text[], $2 lowest positions bigint[]) → conversation_id, message_id, position */
    messagesSql: string;
  } | null;
  samples: ProgressSamples;
}

/** What generators know of one run. `L`: how a latency is told. */
export interface GeneratorResult<L = LatencySummary> {
  scheduled: number;
  /** in the run phase only */
  runScheduled: number;
  runSent: number;
  latency: { sent: L; delivered: L; stored: L };
  /** scheduled → delivered, by stretches of the run phase; empty: it was not asked for */
  slices: L[];
  /** written to the socket − scheduled */
  scheduleLag: L;
  refused: Record<string, number>;
  failed: Record<string, number>;
  resent: number;
  held: number;
  pending: number;
  resyncs: number;
  /** pushes of messages that are not of this run */
  foreign: number;
  closed: { device: number; code: number; reason: string }[];
  /** messages acknowledged and not on all devices at the end of the load, and ms until they were */
  undeliveredAtEnd: number;
  deliveredAfterMs: number | null;
  ledger: LedgerReport;
  /** null: nobody read */
  receipts: ReceiptsResult<L> | null;
  /** null: nobody watched */
  presence: PresenceResult<L> | null;
}

/** One generator's account: of its part of the run, with whole histograms, and how it kept up. */
export interface GeneratorAccount {
  result: GeneratorResult<LatencyCounts>;
  loopLag: LoopLag;
}

/** What became of the changes of presence of a run. */
export interface PresenceResult<L = LatencySummary> {
  /** done → seen by a watcher, of what was to be done while it was measured; `state` from the schedule */
  seen: { state: L; close: L; connect: L };
  /** of the messages, by whether presence stood still or changed; from the schedule */
  messages: Record<TurnKind, { sent: L; delivered: L }>;
  /** changes and closes: all; in the measured turns only; of these those that were done */
  scheduled: number;
  runScheduled: number;
  runDone: number;
  /** `state` frames in the measured turns */
  runChanges: number;
  /** written to the socket − scheduled */
  scheduleLag: L;
  /** (change, watcher) pairs, all phases */
  sights: SightCounts;
  /** last words of watchers that were compared with `GET /v1/presence` */
  compared: number;
  errors: ListedError<PresenceErrorType>[];
}

/** What became of the read marks of a run. */
export interface ReceiptsResult<L = LatencySummary> {
  /** `read` frames that were sent in the run phase */
  reads: number;
  /** a device reads → another device of the conversation is told */
  seen: L;
  /** (device, other device) pairs of which the last read was never shown */
  unseen: number;
  /** marks that were told and never sent */
  invented: number;
}

/** Requests to a generator process and their answers. */
export interface GeneratorCalls {
  connect: { input: ConnectPlan; output: ConnectResult };
  prepare: { input: RunPlan; output: null };
  run: { input: StartPlan; output: Drained };
  finish: { input: FinishPlan; output: GeneratorAccount };
  connects: { input: ConnectsPlan; output: ConnectsResult };
  posts: { input: ConnectsPlan; output: ConnectsResult };
  /** gives the devices that hold nothing what there is */
  learn: { input: ConnectsPlan; output: null };
  close: { input: null; output: null };
}

export type CallName = keyof GeneratorCalls;

/** Moments that the orchestrator takes its readings at: a turn is measured from its kind to `turned`. */
export type Phase = 'run' | 'end' | TurnKind | 'turned';

/** Parent → generator. */
export interface CallMessage {
  id: number;
  call: CallName;
  input: unknown;
}

/** Generator → parent. */
export type GeneratorMessage =
  { id: number; output: unknown } | { id: number; error: string } | { phase: Phase };
