let lastMs = Number.NaN;
let lastText = '';

/** Unix milliseconds as ISO 8601 UTC. The text of a millisecond is made once. */
export function isoTime(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}
