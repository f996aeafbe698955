import type {
  ErrorFrame,
  SyncedBody,
  SyncedConversation,
  SyncRequest,
} from '@tidings/protocol/frames';
import { LIMITS } from '@tidings/protocol/limits';
import { maxPosition } from '@tidings/protocol/positions';
import { fullJitter } from './backoff';
import type { Cancel, Clock, Random } from './clock';
import type { ConversationModel } from './conversation-model';
import { stateDigest, type Hash } from './sha256';

type SyncedFrame = SyncedBody & { ref: string };

/** The outcome of a finished answer. */
export interface SyncResult {
  /** Whether it covered everything, or only some conversations. */
  full: boolean;
  complete: boolean;
  delayed: boolean;
  /** Everything up to now is held: full, complete, and no other sync is due. */
  inStep: boolean;
}

/** What syncing needs. */
export interface SyncDeps {
  clock: Clock;
  random: Random;
  sha256: Hash;
  /** Unix milliseconds on the server. */
  serverNow(): number;
  /** The conversations held; the one with the latest news last. */
  conversations(): ConversationModel[];
  /** Sends a frame; false: not connected. */
  send(frame: string): boolean;
  served(answer: SyncedConversation, asked: string | null): void;
  finished(result: SyncResult): void;
  /** The server refuses to sync, for a reason that a retry does not resolve. */
  refused(code: string, detail: string): void;
}

/** A conversation of a request. Positions. */
interface Asked {
  position: string;
  /** The position as of which the user was known to be a member when the request was sent. */
  memberAt: string;
}

interface Run {
  ref: string;
  full: boolean;
  /** What was listed in this request, which may continue another one. */
  asked: Map<string, Asked>;
  /** Conversations that the first request listed. */
  named: string[];
  parts: Map<string, SyncedConversation>;
}

/** An answer, or its next part, that takes longer is requested again; milliseconds. */
export const SYNC_ANSWER_MS = 20_000;
/** How long to wait for `resync` after a delayed answer before asking anyway, in milliseconds. */
export const DELAYED_MS = 15_000;
const RETRY = { baseMs: 1_000, maxMs: 30_000 };
/** A request stays below the limit of a frame by this many bytes. */
const FRAME_BUDGET = LIMITS.clientFrameBytes - 4_096;
const MAX_LISTED = LIMITS.syncListed;

/**
 * Keeps the replica in step with the server. One `sync` at a time: a full one after every welcome
 * and `resync`, or one for single conversations with a gap. Gaps are judged only while no sync
 * runs.
 */
export class SyncRunner {
  private since: string | null = null;
  private run: Run | null = null;
  private counter = 0;
  private failures = 0;
  private online = false;
  /** Another full sync is due when the running one has ended. */
  private fullDue = false;
  /** Conversations to sync although no gap is visible. */
  private readonly wanted = new Set<string>();
  /**
   * A sync without `since` is running: what was held before must be requested by name afterwards.
   */
  private recheck = false;
  private answerTimer: Cancel | null = null;
  private retryTimer: Cancel | null = null;
  private resyncTimer: Cancel | null = null;

  constructor(private readonly deps: SyncDeps) {}

  /** After `welcome`. */
  connected(): void {
    this.disconnected();
    this.online = true;
    this.failures = 0;
    this.restart();
  }

  /** The connection is lost. Whatever was due starts again with the next one. */
  disconnected(): void {
    this.online = false;
    this.fullDue = false;
    this.endRun();
    this.resyncTimer?.();
    this.resyncTimer = null;
  }

  /** A conversation has a gap, or is unknown: requests it unless a sync is running anyway. */
  check(conversationId: string): void {
    this.wanted.add(conversationId);
    this.judge();
  }

  /** The server says that this view may have a gap. */
  resync(withinMs: number): void {
    if (this.resyncTimer) return;
    this.resyncTimer = this.deps.clock.after(this.deps.random() * withinMs, () => {
      this.resyncTimer = null;
      if (this.run) this.fullDue = true;
      else this.restart();
    });
  }

  /** Takes a `synced` frame. */
  synced(frame: SyncedFrame): void {
    const run = this.run;
    if (!run || frame.ref !== run.ref) return;
    for (const part of frame.conversations) addPart(run.parts, part);
    if (frame.since === undefined && frame.complete === undefined) {
      this.awaitAnswer(run);
      return;
    }
    this.finish(run, frame);
  }

  /** Handles an error that answers a `sync`; false: it is about something else. */
  error(frame: ErrorFrame): boolean {
    const run = this.run;
    if (!run || frame.ref !== run.ref) return false;
    this.endRun();
    if (!frame.retryable && this.since === null) {
      this.deps.refused(frame.code, frame.detail);
      return true;
    }
    if (!frame.retryable) this.since = null;
    this.restartLater(frame.retryAfterMs ?? 0);
    return true;
  }

  private finish(run: Run, last: SyncedFrame): void {
    this.endRun();
    if (run.full && last.since !== undefined) this.since = last.since;
    const complete = last.complete ?? true;
    const delayed = last.delayed ?? false;
    for (const part of run.parts.values()) {
      const asked = run.asked.get(part.conversationId);
      // A server that is behind may not know yet that the conversation began, or that this user was
      // added.
      if (delayed && asked && part.state === 'gone') continue;
      this.deps.served(dated(part, asked), asked?.position ?? null);
    }
    const inStep = run.full && complete && !this.fullDue && !this.resyncTimer;
    this.deps.finished({ full: run.full, complete, delayed, inStep });
    if (!this.online || this.run) return;
    if (delayed) this.restartLater(DELAYED_MS);
    else if (!complete) this.next(run, last);
    else if (this.fullDue) this.restart();
    else this.afterComplete(run);
  }

  /** Requests the continuation of an answer. */
  private next(run: Run, last: SyncedFrame): void {
    if (run.parts.size === 0 || last.since === undefined) return this.restartLater(0);
    this.ask({ ...run, ref: this.nextRef(), asked: new Map(), parts: new Map() }, last.since, []);
  }

  private afterComplete(run: Run): void {
    if (run.full) {
      this.wanted.clear();
      if (this.recheck) for (const c of this.held()) this.wanted.add(c.conversationId);
      this.recheck = false;
    } else {
      for (const id of run.named) this.wanted.delete(id);
      // A gap that its own sync did not close: the server cannot close it yet.
      if (run.named.some((id) => this.needed(id))) return this.restartLater(0);
    }
    if (!this.judge()) this.failures = 0;
  }

  /** Starts a sync of conversations with a gap, when none is running or about to. */
  private judge(): boolean {
    if (!this.online || this.run || this.retryTimer) return false;
    const needed = this.deps
      .conversations()
      .filter((c) => !c.gone && (this.wanted.has(c.conversationId) || c.gap || !c.known));
    if (needed.length === 0) return false;
    void this.begin(false, needed.slice(0, MAX_LISTED));
    return true;
  }

  private needed(conversationId: string): boolean {
    const model = this.deps.conversations().find((c) => c.conversationId === conversationId);
    return model !== undefined && !model.gone && (model.gap || !model.known);
  }

  private held(): ConversationModel[] {
    return this.deps
      .conversations()
      .filter((c) => c.known && !c.gone)
      .slice(-MAX_LISTED);
  }

  private restart(): void {
    this.endRun();
    this.fullDue = false;
    if (!this.online) return;
    const held = this.held();
    // Listing conversations without `since` would request only those: they come afterwards.
    const cold = this.since === null;
    if (cold && held.length > 0) this.recheck = true;
    void this.begin(true, cold ? [] : held);
  }

  private restartLater(atLeastMs: number): void {
    const jitter = fullJitter(this.failures++, RETRY, this.deps.random);
    this.retryTimer?.();
    this.retryTimer = this.deps.clock.after(Math.max(atLeastMs + jitter, 100), () => {
      this.retryTimer = null;
      this.restart();
    });
  }

  /** Forgets the running sync and its timers. */
  private endRun(): void {
    this.run = null;
    this.answerTimer?.();
    this.answerTimer = null;
    this.retryTimer?.();
    this.retryTimer = null;
  }

  private async begin(full: boolean, listed: ConversationModel[]): Promise<void> {
    const ref = this.nextRef();
    const run: Run = { ref, full, asked: new Map(), named: [], parts: new Map() };
    this.run = run;
    const asOf = this.deps.serverNow();
    // Positions and digests belong together: both are taken before anything is awaited.
    const snapshot = listed.map((c) => ({
      conversationId: c.conversationId,
      position: c.have,
      entries: c.digestEntries(asOf),
    }));
    const conversations = await Promise.all(
      snapshot.map(async ({ conversationId, position, entries }) => {
        if (!entries) return { conversationId, position };
        return { conversationId, position, digest: await stateDigest(entries, this.deps.sha256) };
      }),
    );
    if (this.run !== run) return;
    const fitting = withinFrame(conversations, full ? (this.since?.length ?? 0) : 0);
    run.named = fitting.map((c) => c.conversationId);
    this.ask(run, full ? this.since : null, fitting, asOf);
  }

  private ask(
    run: Run,
    since: string | null,
    conversations: NonNullable<SyncRequest['conversations']>,
    asOf = this.deps.serverNow(),
  ): void {
    this.run = run;
    const known = new Map(this.deps.conversations().map((c) => [c.conversationId, c.memberAt]));
    for (const { conversationId, position } of conversations) {
      run.asked.set(conversationId, { position, memberAt: known.get(conversationId) ?? '0' });
    }
    const request: SyncRequest = { asOf: new Date(asOf).toISOString() };
    if (since !== null) request.since = since;
    if (conversations.length > 0) request.conversations = conversations;
    this.deps.send(JSON.stringify({ type: 'sync', ref: run.ref, ...request }));
    this.awaitAnswer(run);
  }

  private awaitAnswer(run: Run): void {
    this.answerTimer?.();
    this.answerTimer = this.deps.clock.after(SYNC_ANSWER_MS, () => {
      if (this.run === run) this.restart();
    });
  }

  private nextRef(): string {
    return `sync-${++this.counter}`;
  }
}

/**
 * `gone` only repeats the listed position, but is no older than the request: the server knew
 * everything that had been pushed by then.
 */
function dated(part: SyncedConversation, asked: Asked | undefined): SyncedConversation {
  if (part.state !== 'gone' || !asked) return part;
  return { ...part, upTo: maxPosition(part.upTo, asked.memberAt) };
}

/** Joins what several frames of one answer say about a conversation. */
function addPart(parts: Map<string, SyncedConversation>, part: SyncedConversation): void {
  const before = parts.get(part.conversationId);
  parts.set(
    part.conversationId,
    before === undefined
      ? part
      : {
          ...part,
          messages: [...before.messages, ...part.messages],
          more: before.more || part.more,
          upTo: maxPosition(before.upTo, part.upTo),
        },
  );
}

/** As many entries as fit into one frame besides `used` bytes, the latest first. */
function withinFrame<T>(entries: readonly T[], used: number): T[] {
  const taken: T[] = [];
  let bytes = used;
  for (const entry of [...entries].reverse()) {
    bytes += JSON.stringify(entry).length + 1;
    if (bytes > FRAME_BUDGET) break;
    taken.push(entry);
  }
  return taken;
}
