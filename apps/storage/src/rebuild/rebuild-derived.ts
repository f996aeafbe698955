import { createHash } from 'node:crypto';
import { isTransient } from '@tidings/common/runtime/database-errors';
import { pause } from '@tidings/common/runtime/waiting';
import type { DerivedRepository, WrongConversation } from './derived.repository';

/** Conversations that are looked at together. */
const PAGE = 200;
/** Corrections that are told one by one. */
const TOLD = 20;
/** Of a page whose statement met a deadlock or a lost connection. */
const ATTEMPTS = 5;
const AGAIN_MS = 200;

/** What a rebuild found, and set right unless it only looked. */
export interface DerivedReport {
  conversations: number;
  /** of which the last position, last time or first event was wrong */
  wrongConversations: number;
  /** messages whose upload was not noted, and notes without a message */
  missingUses: number;
  surplusUses: number;
  /** uploads that were kept, or watched, against what shows them */
  misjudgedMedia: number;
  /** what syncs had counted and will count again */
  forgottenDigests: number;
  forgottenUnread: number;
  /** SHA-256 of what is derived, before and after, hexadecimal */
  before: string;
  after: string;
}

/** How many things a report found to be wrong. */
export function wrongIn(report: DerivedReport): number {
  const { wrongConversations, missingUses, surplusUses, misjudgedMedia } = report;
  return wrongConversations + missingUses + surplusUses + misjudgedMedia;
}

/**
 * Derives anew what PostgreSQL keeps beside messages and changes: the last position and time of each
 * conversation, which uploads messages show, and what syncs have counted (which is forgotten: the next sync
 * counts it again). It may run while everything else does: it only raises what is applied by maximum, and
 * holds no lock for longer than a row takes. With `check` it looks and changes nothing.
 */
export async function rebuildDerived(
  derived: DerivedRepository,
  { check, tell }: { check: boolean; tell: (line: string) => void },
): Promise<DerivedReport> {
  const report: DerivedReport = {
    conversations: 0,
    wrongConversations: 0,
    missingUses: 0,
    surplusUses: 0,
    misjudgedMedia: 0,
    forgottenDigests: 0,
    forgottenUnread: 0,
    before: '',
    after: '',
  };
  const [before, after] = [createHash('sha256'), createHash('sha256')];
  let last = '';
  for (;;) {
    const ids = await patiently(() => derived.page(last, PAGE));
    if (ids.length === 0) break;
    before.update(await patiently(() => derived.text(ids)));
    await conversationsOf(derived, ids, { check, tell, report });
    await mediaOf(derived, ids, { check, report });
    if (!check) {
      report.forgottenDigests += await patiently(() => derived.forgetDigests(ids));
      report.forgottenUnread += await patiently(() => derived.forgetUnread(ids));
    }
    after.update(await patiently(() => derived.text(ids)));
    report.conversations += ids.length;
    last = ids.at(-1)!;
  }
  return { ...report, before: before.digest('hex'), after: after.digest('hex') };
}

async function conversationsOf(
  derived: DerivedRepository,
  ids: readonly string[],
  { check, tell, report }: { check: boolean; tell: (line: string) => void; report: DerivedReport },
): Promise<void> {
  for (const one of await patiently(() => derived.wrong(ids))) {
    report.wrongConversations += 1;
    if (report.wrongConversations <= TOLD) tell(lineOf(one));
    if (!check) await patiently(() => derived.correct(one));
  }
}

async function mediaOf(
  derived: DerivedRepository,
  ids: readonly string[],
  { check, report }: { check: boolean; report: DerivedReport },
): Promise<void> {
  const [missing, surplus] = [
    await patiently(() => derived.missingUses(ids)),
    await patiently(() => derived.surplusUses(ids)),
  ];
  report.missingUses += missing.length;
  report.surplusUses += surplus.length;
  if (check) {
    report.misjudgedMedia += await patiently(() => derived.misjudgedMedia(ids));
    return;
  }
  for (const use of missing) await patiently(() => derived.addUse(use));
  for (const use of surplus) await patiently(() => derived.removeUse(use));
  report.misjudgedMedia += await patiently(() => derived.judgeMedia(ids));
}

function lineOf(one: WrongConversation): string {
  const changes = [
    ['last position', one.lastPosition, one.rightPosition],
    ['last time', one.lastAt?.toISOString(), one.rightAt?.toISOString()],
    ['first event', one.createdPosition, one.rightCreated],
  ].filter(([, is, right]) => is !== right);
  const words = changes.map(([what, is, right]) => `${what} ${is ?? 'none'} → ${right ?? 'none'}`);
  return `${one.id}: ${words.join(', ')}`;
}

/** Makes a statement again that a deadlock or a lost connection ended: each may be repeated. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !isTransient(error)) throw error;
      await pause(AGAIN_MS * attempt);
    }
  }
}
