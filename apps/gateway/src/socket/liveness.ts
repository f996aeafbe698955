/** What the heartbeat does with a connection now, and when it looks again (milliseconds). */
export type HeartbeatStep =
  { act: 'close' } | { act: 'ping'; againInMs: number } | { act: 'wait'; againInMs: number };

/** After how many silent heartbeats a connection is closed. */
export const SILENT_HEARTBEATS = 2;

/**
 * Judges one connection: a ping each heartbeat, the end after two silent ones. All times are
 * monotonic milliseconds.
 */
export function heartbeatStep(
  times: { lastSeenAt: number; lastPingAt: number },
  now: number,
  heartbeatMs: number,
): HeartbeatStep {
  const silentUntil = times.lastSeenAt + SILENT_HEARTBEATS * heartbeatMs;
  if (now >= silentUntil) return { act: 'close' };
  const pingAt = times.lastPingAt + heartbeatMs;
  if (now >= pingAt) {
    return { act: 'ping', againInMs: Math.min(heartbeatMs, silentUntil - now) };
  }
  return { act: 'wait', againInMs: Math.min(pingAt, silentUntil) - now };
}
