import type { HistoryEvent } from './history';

const NS_PER_MS = 1e6;

/** Where silence is looked for, and when: monotonic nanoseconds. */
export interface SilenceScope {
  /** left out: all */
  conversations?: ReadonlySet<string>;
  fromNs: number;
  toNs: number;
}

/** The longest stretch in which somebody waited. */
export interface Silence {
  ms: number;
  /** when it began, monotonic nanoseconds */
  atNs: number;
  /** left out: there was none */
  conversation?: string;
}

/** A message that others have been shown: when it was sent, and how long it took, milliseconds. */
export interface Delay {
  sentNs: number;
  ms: number;
  conversation: string;
}

/** What waits in one conversation. */
interface Line {
  /** message id → when it was sent, the oldest first */
  waiting: Map<string, number>;
  lastSign: number;
}

/**
 * The longest time in which, in one conversation, somebody had sent and nobody else was shown anything.
 * A silence that reaches over an end of the window counts up to there; where nobody has sent, none is.
 */
export function longestSilence(events: readonly HistoryEvent[], scope: SilenceScope): Silence {
  const { fromNs, toNs } = scope;
  let worst: Silence = { ms: 0, atNs: fromNs };
  const note = (conversation: string, { waiting, lastSign }: Line, t: number): void => {
    const [oldest] = waiting.values();
    if (oldest === undefined) return;
    const atNs = Math.max(oldest, lastSign, fromNs);
    const ms = (Math.min(t, toNs) - atNs) / NS_PER_MS;
    if (ms > worst.ms) worst = { ms, atNs, conversation };
  };
  const lines = follow(events, scope, note);
  for (const [conversation, line] of lines) note(conversation, line, toNs);
  return worst;
}

/** How long each message took that was sent in the window, until somebody else was first shown it. */
export function delays(events: readonly HistoryEvent[], scope: SilenceScope): Delay[] {
  const all: Delay[] = [];
  follow(events, { ...scope, toNs: Infinity }, (conversation, { waiting }, t, cid) => {
    const sentNs = waiting.get(cid)!;
    if (sentNs < scope.fromNs || sentNs > scope.toNs) return;
    all.push({ sentNs, ms: (t - sentNs) / NS_PER_MS, conversation });
  });
  return all;
}

/** The value below which this share of the numbers lies; 0 when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const SECOND_NS = 1e9;

/**
 * How long after `sinceNs` delays are as they should be again, milliseconds: from the first second on of
 * which, as of all that follow, the p99 is at most `limitMs`. Null: never.
 */
export function normalAfter(
  all: readonly Delay[],
  { sinceNs, toNs, limitMs }: { sinceNs: number; toNs: number; limitMs: number },
): number | null {
  const seconds = Math.max(1, Math.ceil((toNs - sinceNs) / SECOND_NS));
  const values = Array.from({ length: seconds }, (): number[] => []);
  for (const { sentNs, ms } of all) {
    const second = Math.floor((sentNs - sinceNs) / SECOND_NS);
    if (second >= 0) values[second]?.push(ms);
  }
  const lastBad = values.findLastIndex((some) => quantile(some, 0.99) > limitMs);
  return lastBad === seconds - 1 ? null : (lastBad + 1) * 1_000;
}

/** Goes through a history; `sign` is called before a first sight ends the wait of its message. */
function follow(
  events: readonly HistoryEvent[],
  { conversations, toNs }: SilenceScope,
  sign: (conversation: string, line: Line, t: number, cid: string) => void,
): Map<string, Line> {
  const lines = new Map<string, Line>();
  const senders = new Map<string, string | undefined>();
  for (const event of events) {
    const { k, f, c, t, u } = event;
    if (c === undefined || (conversations && !conversations.has(c)) || t > toNs) continue;
    let line = lines.get(c);
    if (!line) lines.set(c, (line = { waiting: new Map(), lastSign: -Infinity }));
    if (f === 'send') {
      const cid = event.cid ?? '';
      // refused, or given up
      if (k === 'fail' || k === 'info') line.waiting.delete(cid);
      if (k !== 'invoke' || senders.has(cid)) continue;
      senders.set(cid, u);
      line.waiting.set(cid, t);
    }
    if (k !== 'obs' || (f !== 'emit' && f !== 'frame')) continue;
    for (const cid of event.m?.map((message) => message.cid) ?? [event.cid ?? '']) {
      if (!line.waiting.has(cid) || senders.get(cid) === u) continue;
      sign(c, line, t, cid);
      line.waiting.delete(cid);
      line.lastSign = t;
    }
  }
  return lines;
}
