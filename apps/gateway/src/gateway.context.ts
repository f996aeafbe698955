import type { Defects } from '@tidings/common/runtime/defects';
import type { ErrorAnswers } from '@tidings/common/runtime/error-answers';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Backends } from './backends';
import type { GatewayEnv } from './gateway.env';
import type { GatewayMetrics } from './gateway.metrics';
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
  /** Ends the process: it must not go on. */
  fatal(this: void, reason: string): void;
  gatewayId: string;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds. */
  wallClock: () => number;
}
