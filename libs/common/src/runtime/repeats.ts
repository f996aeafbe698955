/** Equal lines are logged once per this time, with the number of omitted ones, in milliseconds. */
const REPEAT_MS = 10_000;
/** How many distinct lines are remembered. */
const REMEMBERED = 200;

/**
 * Counts what repeats. Returns how many were omitted since the last time; null: omit this one, too.
 */
export function countRepeats(now: () => number): (what: string) => number | null {
  const seen = new Map<string, { until: number; left: number }>();
  return (what) => {
    const last = seen.get(what);
    if (last && now() < last.until) {
      last.left++;
      return null;
    }
    if (seen.size >= REMEMBERED) seen.clear();
    seen.set(what, { until: now() + REPEAT_MS, left: 0 });
    return last?.left ?? 0;
  };
}
