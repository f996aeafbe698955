import type { ErrorCode } from '@tidings/protocol/errors';
import type { GeneratorResult, PresenceResult, ReceiptsResult } from './generator/protocol';

/** PASSED: measured and correct. VOID: a generator was the bottleneck, nothing is known. */
export interface Verdict {
  outcome: 'PASSED' | 'FAILED' | 'VOID';
  reasons: string[];
}

/** The worst outcome of some runs: what is wrong weighs more than what is not known. */
export function worstOf(verdicts: readonly Pick<Verdict, 'outcome'>[]): Verdict['outcome'] {
  const outcomes = verdicts.map(({ outcome }) => outcome);
  if (outcomes.includes('FAILED')) return 'FAILED';
  return outcomes.includes('VOID') ? 'VOID' : 'PASSED';
}

/** Largest share of one core that the generator may use in the run phase. */
const MAX_GENERATOR_SHARE = 0.7;
/** Largest p99 of (written − scheduled), milliseconds. */
const MAX_LAG_P99_MS = 10;
/** Smallest share of the schedule that must be on the wire when the run phase ends. */
const MIN_OFFERED = 0.99;

/** How a generator kept up in the run phase. */
export interface KeptUp {
  name: string;
  /** share of one core */
  share: number;
  sent: number;
  scheduled: number;
  lagP99Ms: number;
}

/**
 * Judges one run. Losing something fails it even when it is void: a wrong answer does not become
 * right by a slow generator. Each generator is judged by itself: a slow one does not hide behind the others.
 */
export function judge(run: GeneratorResult, generators: readonly KeptUp[]): Verdict {
  const failures = failuresOf(run);
  if (failures.length > 0) return { outcome: 'FAILED', reasons: failures };
  const voids = voidsOf(run, generators);
  return voids.length > 0
    ? { outcome: 'VOID', reasons: voids }
    : { outcome: 'PASSED', reasons: notesOf(run) };
}

function voidsOf(run: GeneratorResult, generators: readonly KeptUp[]): string[] {
  const reasons: string[] = [];
  const limited = run.refused['rate_limited' satisfies ErrorCode] ?? 0;
  if (limited > 0) {
    reasons.push(
      `the stack's own rate limits refused ${limited} sends: start it with RATE_LIMITS=off, or use --own-stack`,
    );
  }
  for (const { name, share, ...kept } of generators) {
    const whose = generators.length > 1 ? `${name}: ` : '';
    reasons.push(...generatorVoids(kept, share).map((reason) => whose + reason));
  }
  if (run.presence) reasons.push(...churnVoids(run.presence));
  return reasons;
}

/** Why a run tells nothing: the generator was the bottleneck. */
export function generatorVoids(
  run: { sent: number; scheduled: number; lagP99Ms: number },
  share: number,
): string[] {
  const reasons: string[] = [];
  const offered = run.scheduled === 0 ? 0 : run.sent / run.scheduled;
  if (!(share <= MAX_GENERATOR_SHARE)) {
    reasons.push(
      `the generator used ${percent(share)} of a core (at most ${percent(MAX_GENERATOR_SHARE)})`,
    );
  }
  if (!(run.lagP99Ms <= MAX_LAG_P99_MS)) {
    reasons.push(
      `the generator was late: p99 ${run.lagP99Ms.toFixed(1)} ms (at most ${MAX_LAG_P99_MS})`,
    );
  }
  if (!(offered >= MIN_OFFERED)) {
    reasons.push(
      `only ${percent(offered)} of the schedule was sent (at least ${percent(MIN_OFFERED)})`,
    );
  }
  return reasons;
}

function churnVoids({ runDone, runScheduled, scheduleLag }: PresenceResult): string[] {
  const changes = { sent: runDone, scheduled: runScheduled, lagP99Ms: scheduleLag.p99 };
  return generatorVoids(changes, 0).map((reason) => `of changes: ${reason}`);
}

function failuresOf(run: GeneratorResult): string[] {
  const reasons = run.ledger.errors.map(
    ({ type, count, examples }) => `${type} × ${count}: ${examples.join('; ')}`,
  );
  for (const [code, count] of Object.entries(run.failed)) {
    reasons.push(`${count} sends were refused for good: ${code}`);
  }
  const unanswered = run.ledger.unanswered - sum(run.failed);
  if (unanswered > 0) reasons.push(`${unanswered} sends were never answered`);
  if (run.closed.length > 0) {
    const codes = [...new Set(run.closed.map(({ code, reason }) => `${code} ${reason}`.trim()))];
    reasons.push(
      `${run.closed.length} sockets were closed by the server: ${codes.slice(0, 8).join(', ')}`,
    );
  }
  if (run.ledger.acknowledged === 0) reasons.push('nothing was acknowledged');
  if (run.receipts) reasons.push(...receiptFailures(run.receipts));
  if (run.presence) reasons.push(...presenceFailures(run.presence));
  return reasons;
}

function presenceFailures({ errors, runChanges, sights, compared }: PresenceResult): string[] {
  const reasons = errors.map(
    ({ type, count, examples }) =>
      `presence ${type} × ${count}: ${examples.slice(0, 3).join('; ')}`,
  );
  if (runChanges === 0) reasons.push('nobody changed while it was measured');
  if (sights.seen === 0) reasons.push('no watcher saw a change');
  if (compared === 0) reasons.push('no last word was compared');
  return reasons;
}

function receiptFailures({ reads, unseen, invented }: ReceiptsResult): string[] {
  const reasons: string[] = [];
  if (reads === 0) reasons.push('nobody read anything');
  if (unseen > 0) reasons.push(`${unseen} last reads were never shown to another member`);
  if (invented > 0) reasons.push(`${invented} receipts show what nobody read`);
  return reasons;
}

function notesOf(run: GeneratorResult): string[] {
  const notes = Object.entries(run.refused).map(
    ([code, count]) => `${count} sends were refused with ${code} at first`,
  );
  const seen: [number, string][] = [
    [run.held, 'sends were held in a spool at first'],
    [run.pending, 'times a receiver was taken for offline'],
    [run.resyncs, 'times a device was asked to sync'],
    [run.foreign, 'frames were about messages of another run'],
  ];
  for (const [count, what] of seen) if (count > 0) notes.push(`${count} ${what}`);
  if (run.ledger.repaired > 0) {
    notes.push(`${run.ledger.repaired} deliveries came from the history instead of a push`);
  }
  return notes;
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
