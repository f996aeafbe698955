import type { ListedError } from '../ledger-report';
import type { DevicePlan, Entrance } from './devices';
import type { LatencySummary } from './latency';

/** A conversation as PostgreSQL has it, and so what a sync must tell of it. */
export interface ExpectedState {
  conversationId: string;
  /** of the newest ten messages */
  digest: string;
  /** how many messages a new device gets */
  messages: number;
}

/** `new`: the first sync of a new device; `equal`: with what the last one left, which still holds. */
export type SyncKind = 'new' | 'equal';

/** Connects (or calls) by a schedule; answered by {@link ConnectsResult}. */
export interface ConnectsPlan {
  entrance: Entrance;
  devices: DevicePlan[];
  /** of each device */
  expected: ExpectedState[][];
  kind: SyncKind;
  seed: number;
  ratePerSecond: number;
  warmupMs: number;
  runMs: number;
}

/** What can be wrong with an answer. */
export type SyncErrorType =
  'failed' | 'incomplete' | 'conversations' | 'state' | 'messages' | 'digest' | 'all_busy';

/** What the generator knows of one run of connects or calls. */
export interface ConnectsResult {
  scheduled: number;
  /** in the run phase only */
  runScheduled: number;
  runStarted: number;
  /** answered in whole and right, all phases */
  right: number;
  /** answers that said that the server was behind, and were asked for again, all phases */
  delayed: number;
  latency: {
    /** schedule → ticket; empty for calls */
    ticket: LatencySummary;
    /** upgrade → `synced` complete; empty for calls */
    upgraded: LatencySummary;
    /** schedule → answer complete */
    synced: LatencySummary;
    /** schedule → socket closed; empty for calls */
    closed: LatencySummary;
  };
  scheduleLag: LatencySummary;
  errors: ListedError<SyncErrorType>[];
}
