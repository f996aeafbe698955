import type { ConnectionClosed, ConnectionOpened } from '@tidings/common/log-events/events';

/** A device's connection came or went. */
export type ConnectionEvent =
  { kind: 'opened'; event: ConnectionOpened } | { kind: 'closed'; event: ConnectionClosed };

/** What is known of a user's presence in time; Unix milliseconds, null: never. They only rise. */
export interface Clocks {
  userId: string;
  /** Last sign of life. */
  lastSeenAtMs: number;
  /** Last time that the user did something. */
  activeAtMs: number | null;
  /** Last time that an app of the user was known to be connected. */
  connectedAtMs: number | null;
}

/**
 * Merges a batch of connection events into one set of clocks per user, in the order of the user ids.
 * The order of the events does not matter. A time in the future (the clock of a gateway is ahead) or
 * one that is no time counts as now.
 */
export function mergeConnections(events: readonly ConnectionEvent[], nowMs: number): Clocks[] {
  const merged = new Map<string, Clocks>();
  for (const { event } of events) {
    const { userId } = event;
    const atMs = plausible(Date.parse(event.at), nowMs);
    const known = merged.get(userId);
    if (!known) {
      merged.set(userId, { userId, lastSeenAtMs: atMs, activeAtMs: null, connectedAtMs: atMs });
    } else if (atMs > known.lastSeenAtMs) {
      known.lastSeenAtMs = atMs;
      known.connectedAtMs = atMs;
    }
  }
  return [...merged.values()].sort((a, b) => (a.userId < b.userId ? -1 : 1));
}

function plausible(atMs: number, nowMs: number): number {
  // before 1970 is no time of ours either, and there are years that the database does not know
  return Number.isNaN(atMs) || atMs > nowMs || atMs < 0 ? nowMs : atMs;
}
