import { createHash } from 'node:crypto';
import type { Message } from '@tidings/protocol/content';
import { type DigestEntry, digestText, DIGEST_LENGTH } from '@tidings/protocol/digest';
import type { SyncedBody, SyncedConversation, SyncRequest } from '@tidings/protocol/frames';
import { base64url } from '@tidings/protocol/ids';
import { ME } from './factories';
import type { ModelLog } from './model-log';

/** What stands behind a gateway: answers from what it has applied of the log. */
export interface ModelStorage {
  /**
   * The bodies of a sync's answer. `applied`: it has not got further than that, which the answer
   * says; null: it has applied everything.
   */
  sync(request: SyncRequest, applied: number | null): SyncedBody[] | Promise<SyncedBody[]>;
  /** The newest page of a history below a position. */
  history(conversationId: string, before: string): Page | Promise<Page>;
}

interface Page {
  items: Message[];
  more: boolean;
}

const PAGE = 3;

/** A storage that reads the model's log itself; what it has applied once it never loses. */
export function plainStorage(log: ModelLog): ModelStorage {
  let reached = 0;
  return {
    sync(request, applied) {
      reached = Math.max(reached, applied ?? log.end);
      const body = answerSync(log, request, reached);
      return [applied === null ? body : { ...body, complete: false, delayed: true }];
    },
    history(conversationId, before) {
      const all = log.visible(conversationId).filter((m) => Number(m.position) < Number(before));
      return { items: all.slice(-PAGE), more: all.length > PAGE };
    },
  };
}

/** Small limits, so that tests meet them often. */
const NEWEST = 4;
const FIRST = 2;
const CHANGED = 3;
const CONVERSATIONS_PER_ANSWER = 2;

/** What a `since` says, in clear. */
interface Since {
  /** Everything up to here is held. */
  next: number;
  rest?: {
    mode: Mode;
    target: number;
    owed: Owed[];
    after: string | null;
  };
}

type Mode = 'since' | 'new' | 'listed';

interface Owed {
  conversationId: string;
  have: number | null;
  seen: number;
}

/** A conversation that an answer is about. */
interface Candidate extends Owed {
  listed: boolean;
  digest?: string;
}

interface Served {
  answer: SyncedConversation;
  costs: boolean;
  /** More was changed than one answer takes: changes up to here were served. */
  half: number | null;
}

/** Answers a sync by docs/PROTOCOL.md §5 from what was applied up to a position. */
function answerSync(
  log: ModelLog,
  request: SyncRequest,
  applied: number,
): Required<Pick<SyncedBody, 'since' | 'complete' | 'conversations'>> {
  const since = request.since === undefined ? null : (JSON.parse(request.since) as Since);
  const rest = since?.rest;
  const named = request.conversations ?? [];
  const mode = rest?.mode ?? (since ? 'since' : named.length > 0 ? 'listed' : 'new');
  const bound = mode === 'since' ? since!.next : null;
  const target = rest?.target ?? applied;
  const asOf = Date.parse(request.asOf ?? '') || log.now();
  const { candidates, gone } = choose(log, request, { bound, rest, mode, applied });
  const free: SyncedConversation[] = [];
  const costly: SyncedConversation[] = [];
  const owed: Owed[] = [];
  const left: string[] = [];
  for (const candidate of candidates) {
    const served = serve(log, candidate, applied, asOf);
    if (!served.costs) {
      free.push(served.answer);
    } else if (costly.length < CONVERSATIONS_PER_ANSWER) {
      costly.push(served.answer);
      if (served.half !== null) owed.push({ ...candidate, seen: served.half });
    } else if (candidate.listed || mode !== 'since') {
      owed.push(candidate);
    } else {
      left.push(candidate.conversationId);
    }
  }
  const ids = log.begun();
  const after =
    left.length === 0 ? null : (ids.findLast((one) => one < left[0]!) ?? rest?.after ?? '');
  const complete = owed.length === 0 && after === null;
  const next: Since = complete
    ? { next: target }
    : { next: since?.next ?? target, rest: { mode, target, owed: owed.map(bare), after } };
  const conversations = [...gone, ...free, ...costly];
  return { conversations, since: JSON.stringify(next), complete };
}

function bare({ conversationId, have, seen }: Owed): Owed {
  return { conversationId, have, seen };
}

function choose(
  log: ModelLog,
  request: SyncRequest,
  task: { bound: number | null; rest: Since['rest']; mode: Mode; applied: number },
): { candidates: Candidate[]; gone: SyncedConversation[] } {
  const { bound, rest, mode, applied } = task;
  const named = new Map(request.conversations?.map((c) => [c.conversationId, c]));
  const after = rest ? rest.after : mode === 'listed' ? null : '';
  const groups = { half: [] as Candidate[], owed: [] as Candidate[], named: [] as Candidate[] };
  const others: Candidate[] = [];
  const gone: SyncedConversation[] = [];
  for (const conversationId of log.begun()) {
    const mine = named.get(conversationId);
    const owed = rest?.owed.find((o) => o.conversationId === conversationId);
    const listed = mine !== undefined || owed !== undefined;
    const member = log.isMember(conversationId, ME, applied);
    const interval = log.interval(conversationId, ME, applied);
    if (!member) {
      const ended = bound !== null && interval?.until != null && interval.until > bound;
      // What is named is answered as an unknown id is.
      const have = mine ? Number(mine.position) : (owed?.have ?? 0);
      if (listed) gone.push(goneAnswer(conversationId, have));
      else if (ended) gone.push(goneAnswer(conversationId, interval.until!));
      continue;
    }
    if (owed && !(mine && Number(mine.position) > (owed.have ?? -1))) {
      groups[owed.seen > 0 ? 'half' : 'owed'].push({ ...owed, listed: true });
    } else if (mine) {
      const { position, digest } = mine;
      const group = owed ? 'owed' : 'named';
      groups[group].push({
        conversationId,
        have: Number(position),
        seen: 0,
        listed: true,
        digest,
      });
    } else if (after !== null && conversationId > after) {
      const begun = bound === null || interval!.joined > bound;
      if (bound !== null && log.last(conversationId, applied) <= bound) continue;
      others.push({ conversationId, have: begun ? null : bound, seen: 0, listed: false });
    }
  }
  const { half, owed } = groups;
  const candidates = rest
    ? [...half, ...owed, ...others, ...groups.named]
    : [...groups.named, ...others];
  return { candidates, gone };
}

function serve(log: ModelLog, candidate: Candidate, applied: number, asOf: number): Served {
  const { conversationId, have, digest } = candidate;
  const { from } = log.interval(conversationId, ME, applied)!;
  const all = log.visible(conversationId, applied);
  const bound = Math.max(have ?? 0, from);
  const seen = Math.max(candidate.seen, bound);
  const changed = all
    .filter((m) => Number(m.position) <= bound && Number(m.version) > seen)
    .sort((a, b) => Number(a.version) - Number(b.version));
  const above = all.filter((m) => Number(m.position) > bound);
  const common = {
    conversationId,
    digest: digestOf(all),
    unread: log.unread(conversationId, applied),
    receipts: log.receipts(conversationId, applied),
    upTo: String(Math.max(log.last(conversationId, applied), from)),
  };
  if (changed.length > CHANGED) {
    const messages = changed.slice(0, CHANGED);
    const half = Number(messages.at(-1)!.version);
    messages.sort((a, b) => Number(a.position) - Number(b.position));
    const answer = { ...common, state: 'behind' as const, messages, more: false };
    return { answer: { ...answer, upTo: String(bound) }, costs: true, half };
  }
  // A membership that began after what the client holds is another one.
  const another = have !== null && have > 0 && have < from;
  const differs =
    changed.length === 0 &&
    digest !== undefined &&
    digestDiffers(log.visible(conversationId, applied, asOf), { bound, digest, applied });
  const anew = have !== null && (another || differs);
  const most = anew || have === null ? FIRST : NEWEST;
  const newest = (anew ? all : above).slice(-most);
  const messages = anew ? newest : [...changed, ...newest];
  const state = anew ? 'reset' : have === null ? 'new' : messages.length > 0 ? 'behind' : 'same';
  const more = (anew ? all : above).length > newest.length;
  return { answer: { ...common, state, messages, more }, costs: messages.length > 0, half: null };
}

function digestDiffers(
  visible: Message[],
  { bound, digest, applied }: { bound: number; digest: string; applied: number },
): boolean {
  if (bound > applied) return false;
  const upTo = visible.filter((m) => Number(m.position) <= bound);
  if (upTo.slice(-DIGEST_LENGTH).some((m) => Number(m.version) > bound)) return false;
  return digestOf(upTo) !== digest;
}

function goneAnswer(conversationId: string, upTo: number): SyncedConversation {
  return {
    conversationId,
    state: 'gone',
    messages: [],
    more: false,
    upTo: String(upTo),
    digest: digestOf([]),
    unread: 0,
    receipts: [],
  };
}

/** The state digest of messages. */
export function digestOf(messages: readonly DigestEntry[]): string {
  return base64url(createHash('sha256').update(digestText(messages)).digest());
}
