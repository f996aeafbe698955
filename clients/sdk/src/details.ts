import type { Message } from '@tidings/protocol/content';
import type { Conversation } from '@tidings/protocol/http';

/**
 * The most conversations that are kept fresh. Beyond it the least recently requested one is
 * dropped.
 */
const KEPT = 200;

/** What is known of one conversation, and how fresh it is. */
interface Kept {
  conversation: Conversation | null;
  /** The read in progress. */
  reading: Promise<Conversation> | null;
  /** Something changed after that read began. */
  stale: boolean;
}

/**
 * The conversations that an application looks at, as the server shows them. An event in one of them
 * triggers a new read: one for many events, and one more when another came meanwhile.
 */
export class Details {
  private readonly kept = new Map<string, Kept>();

  constructor(
    private readonly read: (conversationId: string) => Promise<Conversation>,
    /** Called whenever a conversation was read again. */
    private readonly renewed: (conversation: Conversation) => void,
  ) {}

  /** The conversation, read from the server the first time. Rejects when that read fails. */
  get(conversationId: string): Promise<Conversation> {
    const kept = this.kept.get(conversationId) ?? {
      conversation: null,
      reading: null,
      stale: false,
    };
    this.keep(conversationId, kept);
    if (kept.reading) return kept.reading;
    if (kept.conversation && !kept.stale) return Promise.resolve(kept.conversation);
    return this.readAgain(conversationId, kept);
  }

  /** Takes an answer of the server; kept only if the application looks at the conversation. */
  learn(conversation: Conversation): void {
    const kept = this.kept.get(conversation.id);
    if (kept && !kept.reading) kept.conversation = conversation;
  }

  /** The conversation has changed. */
  changed(conversationId: string): void {
    const kept = this.kept.get(conversationId);
    if (!kept) return;
    kept.stale = true;
    // A failure leaves it stale: the next look or event reads it again.
    if (!kept.reading) void this.readAgain(conversationId, kept).catch(() => undefined);
  }

  /** Messages have expired: nothing of them is kept here. */
  expired(conversationId: string, messages: readonly Message[]): void {
    const conversation = this.kept.get(conversationId)?.conversation;
    const last = conversation?.lastMessage?.messageId;
    if (messages.some((m) => m.messageId === last)) delete conversation!.lastMessage;
  }

  /** Nobody here may see the conversation any more. */
  forget(conversationId: string): void {
    this.kept.delete(conversationId);
  }

  private keep(conversationId: string, kept: Kept): void {
    this.kept.delete(conversationId);
    this.kept.set(conversationId, kept);
    if (this.kept.size <= KEPT) return;
    const [oldest] = this.kept.keys();
    this.kept.delete(oldest!);
  }

  private readAgain(conversationId: string, kept: Kept): Promise<Conversation> {
    kept.reading = this.readUntilFresh(conversationId, kept).finally(() => (kept.reading = null));
    return kept.reading;
  }

  private async readUntilFresh(conversationId: string, kept: Kept): Promise<Conversation> {
    for (;;) {
      kept.stale = false;
      try {
        kept.conversation = await this.read(conversationId);
      } catch (error) {
        kept.stale = true;
        throw error;
      }
      if (kept.stale) continue;
      if (this.kept.get(conversationId) === kept) this.renewed(kept.conversation);
      return kept.conversation;
    }
  }
}
