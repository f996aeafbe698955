import { uuidV7Time } from '@tidings/protocol/ids';

/** How far the time in a message id may be from the gateway's clock, in milliseconds. */
export const FRESH_MS = 60_000;

/**
 * Whether an id was made just now, so that a send of it without `retry` is its first: a UUIDv7
 * whose time is within a minute of the gateway's clock (Unix milliseconds).
 */
export function isFresh(messageId: string, nowMs: number): boolean {
  const madeAt = uuidV7Time(messageId);
  return madeAt !== null && Math.abs(nowMs - madeAt) <= FRESH_MS;
}
