import type { ErrorCode } from '@tidings/protocol/errors';

/** Most conversations of one connection that may be refused at a time. */
const MAX_KEYS = 1_000;
/** Most ids that are noted per conversation; a client starts again from the oldest, which is noted. */
const MAX_IDS = 1_000;

interface Refusal {
  code: ErrorCode;
  ids: Set<string>;
}

/** The key of sends to a conversation. */
export function conversationKey(conversationId: string): string {
  return `c:${conversationId}`;
}

/** The key of sends to a user whose direct conversation is not known yet. */
export function directKey(userId: string): string {
  return `u:${userId}`;
}

/**
 * What one connection must be refused so that nothing overtakes: after a retryable refusal, later
 * sends to the same conversation get the same code and their ids are noted. The first noted id that
 * comes again ends the refusal and is judged anew, so what a client gave up blocks nothing.
 */
export class StickyRefusals {
  private readonly refusals = new Map<string, Refusal>();

  /** Whether there is nothing to refuse. */
  get empty(): boolean {
    return this.refusals.size === 0;
  }

  /** Whether sends under this key are being refused. */
  has(key: string): boolean {
    return this.refusals.has(key);
  }

  /** The code with which this send must be refused (its id is noted), or null: judge it. */
  check(key: string, messageId: string): ErrorCode | null {
    const refusal = this.refusals.get(key);
    if (!refusal) return null;
    if (refusal.ids.has(messageId)) {
      this.refusals.delete(key);
      return null;
    }
    if (refusal.ids.size < MAX_IDS) refusal.ids.add(messageId);
    return refusal.code;
  }

  /**
   * A send was judged and refused with a retryable code. Returns false when too many conversations
   * are refused already: the connection must be closed, since order could no longer be kept.
   */
  refused(key: string, messageId: string, code: ErrorCode): boolean {
    const refusal = this.refusals.get(key);
    if (refusal) {
      if (refusal.ids.size < MAX_IDS) refusal.ids.add(messageId);
      return true;
    }
    if (this.refusals.size >= MAX_KEYS) return false;
    this.refusals.set(key, { code, ids: new Set([messageId]) });
    return true;
  }
}
