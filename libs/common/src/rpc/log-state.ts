import { TidingsError } from '@tidings/protocol/errors';
import type { STORAGE_RPC } from './calls';
import type { RpcClient } from './rpc-client';
import { type Awaiting, whileAway } from '../runtime/waiting';

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
  wait: { partitions: number; signal: AbortSignal; awaiting: Awaiting },
): Promise<LogState> {
  const { partitions, signal, awaiting } = wait;
  const ask = () => storage.call('log.state', {});
  const answer = await whileAway(ask, { isAway, awaiting, signal, pauseMs: PAUSE_MS });
  const { epoch, bases } = answer;
  if (bases.length === partitions) return { epoch, bases: bases.map(BigInt) };
  throw new Error(
    `storage knows ${bases.length} partitions, but KAFKA_PARTITIONS is ${partitions}`,
  );
}

function isAway(error: unknown): boolean {
  return error instanceof TidingsError && error.retryable;
}
