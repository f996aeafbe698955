import { createHash } from 'node:crypto';
import type { Message } from '@tidings/common/contracts/content';
import { digestText, DIGEST_LENGTH } from '@tidings/common/contracts/digest';
import type { SyncedBody, SyncedConversation, SyncRequest } from '@tidings/common/contracts/frames';
import { base64url } from '@tidings/common/contracts/ids';
import { id } from './factories';

/** One record of the log: a first append, a later copy of one, or a change. */
export interface LogRecord {
  at: number;
  kind: 'message' | 'copy' | 'change';
  /** The message as this record carries it. */
  message: Message;
  previous: number;
  /** Of a change. */
  changeId?: string;
}

/** Small limits, so that tests meet them often. */
const NEWEST = 4;
const FIRST = 2;
const CONVERSATIONS_PER_ANSWER = 2;

type Since = Record<string, number>;

/** The server's side of docs/PROTOCOL.md §2 "sync", small and without any infrastructure. */
export class ModelLog {
  readonly records = new Map<string, LogRecord[]>();
  private position = 0;
  private ids = 0;

  /** Position of the last record of all. */
  get end(): number {
    return this.position;
  }

  /** Appends a message; a known id gives a copy. */
  append(conversationId: string, message: Omit<Message, 'position' | 'conversationId'>): LogRecord {
    const first = this.find(conversationId, message.messageId);
    const at = ++this.position;
    const own = { ...message, conversationId, position: String(at) };
    return this.write(conversationId, { at, kind: first ? 'copy' : 'message', message: own });
  }

  /** Appends somebody's new message. */
  speak(conversationId: string, senderId: string): LogRecord {
    const messageId = id(500_000 + ++this.ids);
    const content = { kind: 'text', text: `log ${this.ids}` } as const;
    const sentAt = '2026-01-01T00:00:00.000Z';
    return this.append(conversationId, { messageId, senderId, content, sentAt, version: '0' });
  }

  /** Appends an edit of the n-th message from the end; it has no effect behind a deletion. */
  edit(conversationId: string, back: number): LogRecord | null {
    const target = this.history(conversationId).at(-1 - back);
    if (!target) return null;
    const text = `edited behind ${this.position}`;
    return this.change(conversationId, target.messageId, { kind: 'text', text });
  }

  /** Appends a deletion of the n-th message from the end; the first one counts. */
  remove(conversationId: string, back: number): LogRecord | null {
    const target = this.history(conversationId).at(-1 - back);
    return target ? this.change(conversationId, target.messageId, null) : null;
  }

  /** Appends a change, once per id; `content` null: a deletion. Null: no such message. */
  change(
    conversationId: string,
    messageId: string,
    content: Message['content'] | null,
    changeId = id(700_000 + ++this.ids),
  ): LogRecord | null {
    const known = this.records.get(conversationId)?.find((r) => r.changeId === changeId);
    if (known) return known;
    const target = this.find(conversationId, messageId)?.message;
    if (!target) return null;
    const at = ++this.position;
    const after: Pick<Message, 'content' | 'deleted'> = content
      ? { content }
      : { content: { kind: 'deleted' }, deleted: true };
    const message = { ...target, ...after, version: String(at) };
    return this.write(conversationId, { at, kind: 'change', message, changeId });
  }

  /** The first append of a message id. */
  find(conversationId: string, messageId: string): LogRecord | undefined {
    const all = this.records.get(conversationId) ?? [];
    return all.find((r) => r.kind === 'message' && r.message.messageId === messageId);
  }

  /** The history as it was at a position, ascending. */
  history(conversationId: string, until = this.position): Message[] {
    const messages = new Map<string, Message>();
    for (const record of this.records.get(conversationId) ?? []) {
      if (record.at > until || record.kind === 'copy') continue;
      if (messages.get(record.message.messageId)?.deleted) continue;
      messages.set(record.message.messageId, record.message);
    }
    return [...messages.values()];
  }

  /** Answers a sync from what was applied up to a position. */
  answer(request: SyncRequest, applied: number): SyncedBody & { since: string } {
    const listed = new Map(request.conversations?.map((c) => [c.conversationId, c]));
    const since = request.since === undefined ? null : (JSON.parse(request.since) as Since);
    const some = since === null && listed.size > 0;
    const next: Since = { ...since };
    const conversations: SyncedConversation[] = [];
    let complete = true;
    for (const conversationId of this.records.keys()) {
      const entry = listed.get(conversationId);
      if ((some || since?.['only'] === 1) && !entry && since?.[conversationId] === undefined)
        continue;
      const from = entry ? Number(entry.position) : since?.[conversationId];
      const answer = this.serve(conversationId, from, entry?.digest, !entry, applied);
      if (answer === null) continue;
      if (conversations.length === CONVERSATIONS_PER_ANSWER) {
        complete = false;
        if (from !== undefined) next[conversationId] = from;
        continue;
      }
      conversations.push(answer);
      next[conversationId] = Math.max(Number(answer.upTo), from ?? 0);
    }
    if (some) next['only'] = 1;
    return { conversations, since: JSON.stringify(next), complete };
  }

  private serve(
    conversationId: string,
    from: number | undefined,
    digest: string | undefined,
    unlisted: boolean,
    applied: number,
  ): SyncedConversation | null {
    const history = this.history(conversationId, applied);
    const records = (this.records.get(conversationId) ?? []).filter((r) => r.at <= applied);
    const upTo = String(records.at(-1)?.at ?? 0);
    const bound = from ?? 0;
    const isNew = from === undefined;
    const differs = digest !== undefined && this.differs(history, bound, digest, applied);
    const above = history.filter((m) => Number(m.position) > bound);
    const changed = history.filter((m) => Number(m.position) <= bound && Number(m.version) > bound);
    if (unlisted && !isNew && Number(upTo) <= bound) return null;
    const newest = differs ? history.slice(-FIRST) : above.slice(isNew ? -FIRST : -NEWEST);
    const messages = differs ? newest : [...changed, ...newest];
    return {
      conversationId,
      state: differs ? 'reset' : isNew ? 'new' : messages.length > 0 ? 'behind' : 'same',
      messages,
      more: (differs ? history : above).length > newest.length,
      upTo,
      digest: digestOf(history),
      unread: 0,
      receipts: [],
    };
  }

  private differs(history: Message[], bound: number, digest: string, applied: number): boolean {
    if (bound > applied) return false;
    const upTo = history.filter((m) => Number(m.position) <= bound);
    if (upTo.slice(-DIGEST_LENGTH).some((m) => Number(m.version) > bound)) return false;
    return digestOf(upTo) !== digest;
  }

  private write(conversationId: string, record: Omit<LogRecord, 'previous'>): LogRecord {
    let all = this.records.get(conversationId);
    if (!all) this.records.set(conversationId, (all = []));
    const full = { ...record, previous: all.at(-1)?.at ?? 0 };
    all.push(full);
    return full;
  }
}

function digestOf(messages: Message[]): string {
  return base64url(createHash('sha256').update(digestText(messages)).digest());
}
