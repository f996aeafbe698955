import type { ConnectsResult } from './generator/connects-protocol';
import { type Verdict, generatorVoids } from './verdict';

/** What is known of a run of connects or calls. */
export interface SyncFacts {
  result: ConnectsResult;
  /** rows of messages that PostgreSQL read meanwhile; null: not looked at */
  rowsRead: number | null;
  /** changes of the users' presence meanwhile; null: not looked at */
  presence: { events: number; users: number } | null;
  /** Sockets come and go: presence has to show it. Otherwise it must not move. */
  presenceMoves: boolean;
}

/** Judges one run: a wrong answer, a row read or a presence that moves fails it. */
export function judgeSyncs(facts: SyncFacts, generatorShare: number): Verdict {
  const { result } = facts;
  const reasons = result.errors.map(
    ({ type, count, examples }) => `${type} × ${count}: ${examples.slice(0, 3).join('; ')}`,
  );
  if (result.right === 0) reasons.push('nothing was answered right');
  if (facts.rowsRead !== null && facts.rowsRead !== 0) {
    reasons.push(`${facts.rowsRead} rows of messages were read`);
  }
  reasons.push(...presenceReasons(facts));
  if (reasons.length > 0) return { outcome: 'FAILED', reasons };
  const voids = generatorVoids(
    {
      sent: result.runStarted,
      scheduled: result.runScheduled,
      lagP99Ms: result.scheduleLag.p99,
    },
    generatorShare,
  );
  return { outcome: voids.length > 0 ? 'VOID' : 'PASSED', reasons: voids };
}

function presenceReasons({ presence, presenceMoves }: SyncFacts): string[] {
  if (presence === null) return [];
  const { events, users } = presence;
  if (presenceMoves) {
    return events > 0 ? [] : ['sockets came and went, and no presence event was seen'];
  }
  return events === 0 && users === 0
    ? []
    : [`presence moved: ${events} events, ${users} users are told to be otherwise`];
}
