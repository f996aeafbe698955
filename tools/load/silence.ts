import type { HistoryEvent } from './history';

const NS_PER_MS = 1e6;

/** Whose events count, and when: monotonic nanoseconds. */
export interface SilenceScope {
  /** the group of users; left out: everybody */
  users?: ReadonlySet<string>;
  fromNs: number;
  toNs: number;
}

/** The longest stretch without a sign of life. */
export interface Silence {
  ms: number;
  /** when it began, monotonic nanoseconds */
  atNs: number;
  /** whose; left out for the group as a whole */
  device?: string;
}

/** A sign that messages flow: something was delivered, or a send was acknowledged. */
function isSign({ k, f }: HistoryEvent): boolean {
  return (k === 'ok' && f === 'send') || (k === 'obs' && (f === 'emit' || f === 'frame'));
}

function inScope(event: HistoryEvent, { users, fromNs, toNs }: SilenceScope): boolean {
  const known = users === undefined || (event.u !== undefined && users.has(event.u));
  return known && event.t >= fromNs && event.t <= toNs;
}

/** Longest time in which nobody of the group received or was acknowledged anything. */
export function longestSilence(events: readonly HistoryEvent[], scope: SilenceScope): Silence {
  const times = events.filter((event) => isSign(event) && inScope(event, scope)).map(({ t }) => t);
  return longestGap(times, scope);
}

/** The same for each device of the group apart; gives the worst. With few messages per device gaps are natural. */
export function longestDeviceSilence(
  events: readonly HistoryEvent[],
  scope: SilenceScope,
): Silence | null {
  const byDevice = new Map<string, number[]>();
  for (const event of events) {
    if (event.d === undefined || !isSign(event) || !inScope(event, scope)) continue;
    const times = byDevice.get(event.d) ?? [];
    byDevice.set(event.d, times);
    times.push(event.t);
  }
  let worst: Silence | null = null;
  for (const [device, times] of byDevice) {
    const gap = longestGap(times, scope);
    if (worst === null || gap.ms > worst.ms) worst = { ...gap, device };
  }
  return worst;
}

/** Longest time from a send's first try to its acknowledgement, and how many sends had none. */
export function longestWait(
  events: readonly HistoryEvent[],
  scope: SilenceScope,
): { ms: number; cid: string | null; unanswered: number } {
  const open = new Map<string, number>();
  const done = new Set<string>();
  let worst = { ms: 0, cid: null as string | null };
  for (const event of events) {
    if (event.f !== 'send' || event.cid === undefined) continue;
    const first = event.k === 'invoke' && !open.has(event.cid) && !done.has(event.cid);
    if (first && inScope(event, scope)) open.set(event.cid, event.t);
    const began = open.get(event.cid);
    if (event.k !== 'ok' || began === undefined) continue;
    open.delete(event.cid);
    done.add(event.cid);
    const ms = (event.t - began) / NS_PER_MS;
    if (ms > worst.ms) worst = { ms, cid: event.cid };
  }
  return { ...worst, unanswered: open.size };
}

/** The ends of the window count as signs: silence that reaches over them is measured up to them. */
function longestGap(times: readonly number[], { fromNs, toNs }: SilenceScope): Silence {
  const sorted = [fromNs, ...[...times].sort((a, b) => a - b), toNs];
  let worst: Silence = { ms: 0, atNs: fromNs };
  for (let i = 1; i < sorted.length; i++) {
    const ms = (sorted[i]! - sorted[i - 1]!) / NS_PER_MS;
    if (ms > worst.ms) worst = { ms, atNs: sorted[i - 1]! };
  }
  return worst;
}
