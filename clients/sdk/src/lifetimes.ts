import type { Message } from '@tidings/protocol/content';
import type { Conversation } from '@tidings/protocol/http';
import { comparePositions } from '@tidings/protocol/positions';

/** Something that says how long messages live, and at which position of the conversation. */
interface Known {
  position: string;
  seconds: number | null;
}

/** How long messages of each conversation live, as far as known. The newest statement counts. */
export class Lifetimes {
  private readonly known = new Map<string, Known>();

  /** `changed` is called when a lifetime becomes known or differs from the known one. */
  constructor(private readonly changed: (conversationId: string, seconds: number | null) => void) {}

  /** How many seconds a message of this conversation lives; null: forever, or unknown. */
  of(conversationId: string): number | null {
    return this.known.get(conversationId)?.seconds ?? null;
  }

  /** Takes a conversation as the server shows it. */
  conversation({ id, messageTtlSeconds, lastPosition }: Conversation): void {
    this.learn(id, { position: lastPosition ?? '0', seconds: messageTtlSeconds ?? null });
  }

  /** Takes an entry of a history. Only events say something certain. */
  entry({ conversationId, position, content }: Message): void {
    if (content.kind !== 'event') return;
    const { event } = content;
    if (event.kind !== 'created' && event.kind !== 'ttl') return;
    this.learn(conversationId, { position, seconds: event.messageTtlSeconds ?? null });
  }

  /** Takes what an earlier run knew. Anything the server says takes precedence. */
  recall(conversationId: string, seconds: number): void {
    if (this.known.has(conversationId)) return;
    this.learn(conversationId, { position: '0', seconds });
  }

  private learn(conversationId: string, word: Known): void {
    const known = this.known.get(conversationId);
    if (known && comparePositions(word.position, known.position) < 0) return;
    this.known.set(conversationId, word);
    if (word.seconds !== known?.seconds) this.changed(conversationId, word.seconds);
  }
}
