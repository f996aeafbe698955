import type { Presence } from '@tidings/protocol/http';
import type { PresenceWord } from './user-state';

/** A user's presence as it is told. `version`: as of when it holds. */
export function presenceOf(userId: string, word: PresenceWord, version: number): Presence {
  const { status, lastSeenAtMs, activeAtMs } = word;
  return { userId, status, lastSeenAt: isoOf(lastSeenAtMs), activeAt: isoOf(activeAtMs), version };
}

/** Unix milliseconds as ISO 8601. */
export function isoOf(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
