import type { LedgerReport } from '../ledger-report';
import type { ProgressSamples } from '../stored-latency';
import type { LatencySummary } from './latency';

/** One device of the load, by index everywhere else. */
export interface DevicePlan {
  userId: string;
  deviceId: string;
  /** access token; empty at the baseline */
  token: string;
  /** which of the gateways it should be on */
  gateway: number;
}

/** Two devices that write to each other. */
export interface PairPlan {
  conversationId: string;
  /** indices of the devices */
  devices: [number, number];
}

/** How devices find their gateway. */
export type Entrance =
  | { kind: 'directory'; httpUrls: string[]; gatewayIds: string[] }
  | { kind: 'direct'; socketUrls: string[] };

/** Opens sockets for further devices; answered by {@link ConnectResult}. */
export interface ConnectPlan {
  entrance: Entrance;
  devices: DevicePlan[];
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

/** Sends messages; answered by {@link Drained} when everything has arrived or waiting is over. */
export interface RunPlan {
  seed: number;
  ratePerSecond: number;
  warmupMs: number;
  runMs: number;
  /** longest wait for answers and deliveries after the last send */
  drainMs: number;
  textBytes: number;
  pairs: PairPlan[];
  /** partitions of the log */
  partitions: number;
  /** base addresses for reading holes from the history; empty: no repair */
  historyUrls: string[];
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
  databaseUrl: string;
  /** ($1 conversation ids text[], $2 lowest positions bigint[]) → conversation_id, message_id, position */
  messagesSql: string;
  samples: ProgressSamples;
}

/** What the generator knows of one run. */
export interface GeneratorResult {
  scheduled: number;
  /** in the run phase only */
  runScheduled: number;
  runSent: number;
  latency: { sent: LatencySummary; delivered: LatencySummary; stored: LatencySummary };
  /** written to the socket − scheduled */
  scheduleLag: LatencySummary;
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
}

/** Requests to the generator process and their answers. */
export interface GeneratorCalls {
  connect: { input: ConnectPlan; output: ConnectResult };
  run: { input: RunPlan; output: Drained };
  finish: { input: FinishPlan; output: GeneratorResult };
  close: { input: null; output: null };
}

export type CallName = keyof GeneratorCalls;

/** Moments that the orchestrator takes its readings at. */
export type Phase = 'run' | 'end';

/** Parent → generator. */
export interface CallMessage {
  id: number;
  call: CallName;
  input: unknown;
}

/** Generator → parent. */
export type GeneratorMessage =
  { id: number; output: unknown } | { id: number; error: string } | { phase: Phase };
