import type { MemberRole, Message } from '@tidings/protocol/content';
import type {
  ChangedConversation,
  Conversation,
  ConversationPatch,
  GroupBody,
  HistoryPage,
  Member,
  Page,
  Receipt,
} from '@tidings/protocol/http';
import type { Trace } from '@tidings/protocol/trace';
import type { HistoryOptions, PageOptions, TidingsApi } from './api';
import type { ClientEvents } from './client-events';
import type { ConversationModel } from './conversation-model';
import { Emitter } from './emitter';
import { StoppedError } from './errors';
import type { Live } from './live';
import type { ReadBy } from './receipts';
import { wholeTrace } from './trace';
import type { SavedLogin } from './tokens';

/** What a client holds of its conversations, and how it changes them. */
export abstract class ConversationClient extends Emitter<ClientEvents> {
  /** Every HTTP call of the protocol. */
  abstract readonly api: TidingsApi;
  /** The login in use; null: log in first. */
  abstract get currentLogin(): SavedLogin | null;
  /** What lives between `start` and `stop`. */
  protected live: Live | null = null;

  /** Everything held of a conversation; undefined: never heard of it. */
  conversation(conversationId: string): ConversationModel | undefined {
    return this.live?.replica.get(conversationId);
  }

  /** Ids of the conversations held, without those left; the one with the latest news last. */
  conversations(): string[] {
    const all = this.live?.replica.all() ?? [];
    return all.filter((c) => !c.gone).map((c) => c.conversationId);
  }

  /** The held messages of a conversation back to the first hole, oldest first. */
  messages(conversationId: string): Message[] {
    return this.conversation(conversationId)?.messages() ?? [];
  }

  /** Reads a page of the history and merges it into what is held. */
  async history(conversationId: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    const page = await this.api.history(conversationId, options);
    this.live?.replica.page(conversationId, page.items, options, page.more);
    this.live?.receipts.touched(conversationId);
    return page;
  }

  /**
   * Everything up to a position (default: all that is held without a gap) was read; told to the
   * server as soon as it can be, unless it knows already.
   */
  markRead(conversationId: string, position?: string): void {
    this.live?.receipts.markRead(conversationId, position);
  }

  /** Unread messages of others; the same on all devices once they have heard of each other. */
  unread(conversationId: string): number {
    return this.live?.receipts.unread(conversationId) ?? 0;
  }

  /** The members' marks as far as they are known (complete up to 32 members), the own ones last. */
  receipts(conversationId: string): Receipt[] {
    return this.live?.receipts.of(conversationId) ?? [];
  }

  /**
   * How many others have received and read up to a position. In groups above 32 members that is as of
   * the last {@link loadReceipts}.
   */
  readBy(conversationId: string, position: string): ReadBy {
    return this.live?.receipts.readBy(conversationId, position) ?? { delivered: 0, read: 0, of: 0 };
  }

  /** Reads the marks of all members. */
  async loadReceipts(conversationId: string): Promise<Receipt[]> {
    let cursor: string | undefined;
    do {
      const page = await this.api.receipts(conversationId, { cursor });
      this.live?.receipts.learn(conversationId, page.items);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return this.receipts(conversationId);
  }

  /**
   * The user types in a conversation (call it with every key) or stopped; told to the others now and
   * then. It ends by itself, also with the message that is sent.
   */
  typing(conversationId: string, active = true): void {
    this.live?.typing.typing(conversationId, active);
  }

  /** Ids of the others who are writing in a conversation, as far as they are heard of. */
  typingIn(conversationId: string): string[] {
    return this.live?.typing.in(conversationId) ?? [];
  }

  /**
   * The way of an own message through the servers, and when it reached whom.
   *
   * @throws TidingsError `not_found` for any other message, and for one that is not in the log yet
   */
  trace(conversationId: string, messageId: string): Promise<Omit<Trace, 'cursor'>> {
    return wholeTrace(this.api, conversationId, messageId);
  }

  /** The direct conversation with a user, made when absent. */
  async direct(userId: string): Promise<Conversation> {
    const conversation = await this.api.directConversation(userId);
    this.live?.replica.learnDirect(userId, conversation.id);
    return this.learned(conversation);
  }

  /** A group of this user, its owner; the same `requestId` gives the same group. */
  async createGroup(group: Omit<GroupBody, 'kind'>): Promise<Conversation> {
    return this.learned(await this.api.createGroup(group));
  }

  /** New title, or lifetime of messages in seconds (null: they stay). */
  async changeConversation(
    conversationId: string,
    patch: ConversationPatch,
  ): Promise<ChangedConversation> {
    return this.learned(await this.api.changeConversation(conversationId, patch));
  }

  /** Members of a conversation, page by page. */
  members(conversationId: string, page?: PageOptions): Promise<Page<Member>> {
    return this.api.members(conversationId, page);
  }

  async addMembers(
    conversationId: string,
    userIds: readonly string[],
  ): Promise<ChangedConversation> {
    return this.learned(await this.api.addMembers(conversationId, userIds));
  }

  removeMember(conversationId: string, userId: string): Promise<void> {
    return this.api.removeMember(conversationId, userId);
  }

  /**
   * Leaves a group.
   *
   * @throws StoppedError without a login
   */
  async leave(conversationId: string): Promise<void> {
    if (!this.currentLogin) throw new StoppedError('not_logged_in');
    await this.api.removeMember(conversationId, this.currentLogin.user.id);
  }

  async setRole(
    conversationId: string,
    userId: string,
    role: MemberRole,
  ): Promise<ChangedConversation> {
    return this.learned(await this.api.setRole(conversationId, userId, role));
  }

  /** How long messages of a conversation live, in seconds; null: for good, or not known. */
  lifetime(conversationId: string): number | null {
    return this.live?.lifetimes.of(conversationId) ?? null;
  }

  /**
   * Takes what an application remembers of a conversation from an earlier run: with whom it is, and
   * how long messages live there. Whatever the server says counts more.
   */
  recall(conversation: {
    conversationId: string;
    userId?: string;
    messageTtlSeconds?: number;
  }): void {
    const { conversationId, userId, messageTtlSeconds } = conversation;
    if (userId !== undefined) this.live?.replica.learnDirect(userId, conversationId);
    if (messageTtlSeconds !== undefined) {
      this.live?.lifetimes.recall(conversationId, messageTtlSeconds);
    }
  }

  /**
   * A conversation with its title, members and marks. From then on it is kept fresh: whatever
   * changes it is followed by a `details` event.
   */
  details(conversationId: string): Promise<Conversation> {
    return this.live?.details.get(conversationId) ?? this.api.conversation(conversationId);
  }

  /** Id of the direct conversation with a user, when it is known already. */
  directWith(userId: string): string | undefined {
    return this.live?.replica.directWith(userId);
  }

  protected learned<T extends Conversation>(conversation: T): T {
    this.live?.learn(conversation);
    return conversation;
  }
}
