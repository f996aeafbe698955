/** The same is said once per this time, with the number of those left out, milliseconds. */
const REPEAT_MS = 10_000;
/** Distinct things that are remembered. */
const REMEMBERED = 200;

/** Counts what repeats: gives how many were left out since the last time, null: this one is, too. */
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
