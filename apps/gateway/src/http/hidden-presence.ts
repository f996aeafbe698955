import type { Presence } from '@tidings/protocol/http';

/** Presence as a viewer may see it: who hides is away and was never seen. */
export function hidePresence(items: readonly Presence[], hiding: readonly string[]): Presence[] {
  if (hiding.length === 0) return [...items];
  const hidden = new Set(hiding);
  return items.map((item) => (hidden.has(item.userId) ? nothingOf(item.userId) : item));
}

function nothingOf(userId: string): Presence {
  return { userId, status: 'offline', lastSeenAt: null, activeAt: null };
}
