import type { STORAGE_RPC } from '@tidings/common/rpc/calls';
import type { LogState } from '@tidings/common/rpc/log-state';
import type { RpcClient } from '@tidings/common/rpc/rpc-client';
import type { Service, ServiceOptions } from '@tidings/common/runtime/service';
import type { Deliveries } from './routing/deliveries';
import type { SessionEnv } from './session.env';

/** What the consumers of session are made with. */
export interface SessionParts {
  service: Service;
  storage: RpcClient<typeof STORAGE_RPC>;
  log: LogState;
  deliveries: Deliveries;
  options: Pick<ServiceOptions<SessionEnv>, 'logger' | 'metrics' | 'timeline'>;
}

/** How session fetches: what it reads is for people who wait. Milliseconds and bytes. */
export const FETCHING = {
  minBytes: 1,
  /** Also how long a consumer sleeps while the state of its partitions is loaded; see paceFetches. */
  maxWaitTimeInMs: 50,
  /** Small, so that what is read again after a rebalance does not pile up on a young heap. */
  maxBytesPerPartition: 256 * 1024,
  /** How often the group hears of a member, and so how soon a member hears of a rebalance. */
  heartbeatInterval: 200,
  partitionsConsumedConcurrently: 8,
};
