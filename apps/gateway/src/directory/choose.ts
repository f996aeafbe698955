import type { GatewayEntry } from '@tidings/common/redis/directory';

/** An event loop that is later than this counts against its gateway, milliseconds. */
const UNREST_MS = 50;
/** One that is so late counts as much as all connections that its gateway takes, milliseconds. */
const LATE_MS = 200;

/**
 * The gateways for a new connection: [primary, backup?], or [] when all are full or draining. Of
 * two random ones the less loaded comes first ("power of two choices", Mitzenmacher 2001). Gateways
 * to `avoid` are taken only when there is no other. `random` gives numbers in [0, 1).
 */
export function choose(
  list: readonly GatewayEntry[],
  avoid: readonly string[],
  random: () => number,
): GatewayEntry[] {
  const open = list.filter(({ state, connections, capacity }) => {
    return state !== 'draining' && connections < capacity;
  });
  const wanted = open.filter((entry) => !avoid.includes(entry.id));
  const candidates = wanted.length > 0 ? wanted : open;
  if (candidates.length < 2) return [...candidates];
  const first = Math.floor(random() * candidates.length);
  const other = Math.floor(random() * (candidates.length - 1));
  const pair = [candidates[first]!, candidates[other < first ? other : other + 1]!];
  return pair.sort((a, b) => load(a) - load(b));
}

function load(entry: GatewayEntry): number {
  const late = Math.max(0, entry.loopDelayMs - UNREST_MS) / (LATE_MS - UNREST_MS);
  return entry.connections / entry.capacity + late;
}
