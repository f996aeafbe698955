import { TidingsError } from '@tidings/protocol/errors';
import type { Logger } from '../runtime/logger';
import type { STORAGE_RPC } from './calls';
import type { RpcClient } from './rpc-client';
import { pause } from '../runtime/waiting';

const PAUSE_MS = 300;

/** The log, as every service agrees on it. Fixed while services run. */
export interface LogState {
  epoch: number;
  /** Position of offset 0, per partition. */
  bases: readonly bigint[];
}

/**
 * The state of the log, as storage has it. Waits until storage answers. Rejects when storage
 * refuses or knows another number of partitions, and with the signal's reason when that is aborted.
 */
export async function logStateOf(
  storage: Pick<RpcClient<typeof STORAGE_RPC>, 'call'>,
  wait: { partitions: number; signal: AbortSignal; logger: Pick<Logger, 'info'> },
): Promise<LogState> {
  for (let attempt = 0; ; attempt++) {
    wait.signal.throwIfAborted();
    try {
      const { epoch, bases } = await storage.call('log.state', {});
      if (bases.length === wait.partitions) return { epoch, bases: bases.map(BigInt) };
      throw new Error(
        `storage knows ${bases.length} partitions, but KAFKA_PARTITIONS is ${wait.partitions}`,
      );
    } catch (error) {
      if (!(error instanceof TidingsError) || !error.retryable) throw error;
      if (attempt === 0) wait.logger.info('waiting for storage');
      await pause(PAUSE_MS, undefined, { signal: wait.signal });
    }
  }
}
