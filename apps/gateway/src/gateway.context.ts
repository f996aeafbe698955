import type { DirectoryReport } from '@tidings/common/nodes/directory-report';
import type { Defects } from '@tidings/common/runtime/defects';
import type { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import type { LoopDelay } from '@tidings/common/runtime/loop-delay';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Metrics } from '@tidings/common/runtime/metrics';
import type { Backends } from './backends';
import type { GatewayEnv } from './gateway.env';
import type { GatewayMetrics } from './gateway.metrics';
import type { Lanes } from './lanes/lanes';
import type { LogPositions } from './send/log-positions';
import type { SendCounts } from './send/send-counts';
import type { Spool } from './parts/holding.parts';

/** What all parts of a gateway are made with. */
export interface GatewayContext {
  env: GatewayEnv;
  backends: Backends;
  positions: LogPositions;
  metrics: GatewayMetrics;
  counts: SendCounts;
  /** What this node holds on its disk. */
  spool: Spool;
  logger: Logger;
  defects: Defects;
  answers: ErrorAnswers;
  directories: DirectoryReport;
  /** Why this gateway is no use at the moment, by part; empty: it is. */
  problems: () => Record<string, string>;
  registry: Metrics;
  loopDelay: LoopDelay;
  /** What this gateway does less of while it has too much to do. */
  lanes: Lanes;
  /** Ends the process: it must not go on. */
  fatal(this: void, reason: string): void;
  gatewayId: string;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds. */
  wallClock: () => number;
}
