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

/** The conversations that a client holds, and how it changes them. */
export abstract class ConversationClient extends Emitter<ClientEvents> {
  /** Every HTTP call of the protocol. */
  abstract readonly api: TidingsApi;
  /** The login in use. Null: log in first. */
  abstract get currentLogin(): SavedLogin | null;
  /** What exists between `start` and `stop`. */
  protected live: Live | null = null;

  /** Everything held of a conversation; undefined: unknown conversation. */
  conversation(conversationId: string): ConversationModel | undefined {
    return this.live?.replica.get(conversationId);
  }

  /**
   * Ids of the conversations held, without those the user left; the one with the latest news last.
   */
  conversations(): string[] {
    const all = this.live?.replica.all() ?? [];
    return all.filter((c) => !c.gone).map((c) => c.conversationId);
  }

  /** The held messages of a conversation back to the first gap, oldest first. */
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
   * Everything up to a position was read (default: everything held without a gap). The server is
   * told as soon as possible, unless it knows already.
   */
  markRead(conversationId: string, position?: string): void {
    this.live?.receipts.markRead(conversationId, position);
  }

  /** Unread messages of others. Equal on all devices once they have heard from each other. */
  unread(conversationId: string): number {
    return this.live?.receipts.unread(conversationId) ?? 0;
  }

  /** The members' marks as far as they are known (complete up to 32 members); this user's last. */
  receipts(conversationId: string): Receipt[] {
    return this.live?.receipts.of(conversationId) ?? [];
  }

  /**
   * How many others have received and read up to a position. In groups of more than 32 members this
   * is as of the last {@link loadReceipts}.
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
   * The user is typing in a conversation (call it with every key), or stopped. The others are told
   * now and then. It ends on its own, and with the message that is sent.
   */
  typing(conversationId: string, active = true): void {
    this.live?.typing.typing(conversationId, active);
  }

  /** Ids of the others who are typing in a conversation, as far as known. */
  typingIn(conversationId: string): string[] {
    return this.live?.typing.in(conversationId) ?? [];
  }

  /**
   * The path of one of this user's messages through the servers, and when it reached whom.
   *
   * @throws TidingsError `not_found` for any other message, and for one that is not in the log yet
   */
  trace(conversationId: string, messageId: string): Promise<Omit<Trace, 'cursor'>> {
    return wholeTrace(this.api, conversationId, messageId);
  }

  /** The direct conversation with a user; created when there is none. */
  async direct(userId: string): Promise<Conversation> {
    const conversation = await this.api.directConversation(userId);
    this.live?.replica.learnDirect(userId, conversation.id);
    return this.learned(conversation);
  }

  /** A new group, owned by this user. The same `requestId` gives the same group. */
  async createGroup(group: Omit<GroupBody, 'kind'>): Promise<Conversation> {
    return this.learned(await this.api.createGroup(group));
  }

  /** A new title, or a new lifetime of messages in seconds (null: they are kept). */
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

  /** How long messages of a conversation live, in seconds; null: forever, or unknown. */
  lifetime(conversationId: string): number | null {
    return this.live?.lifetimes.of(conversationId) ?? null;
  }

  /**
   * Takes what an application remembers of a conversation from an earlier run: the other user, and
   * how long messages live there. Anything the server says takes precedence.
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
   * A conversation with its title, members and marks. It is kept fresh from then on: every change
   * is followed by a `details` event.
   */
  details(conversationId: string): Promise<Conversation> {
    return this.live?.details.get(conversationId) ?? this.api.conversation(conversationId);
  }

  /** Id of the direct conversation with a user, if it is already known. */
  directWith(userId: string): string | undefined {
    return this.live?.replica.directWith(userId);
  }

  protected learned<T extends Conversation>(conversation: T): T {
    this.live?.learn(conversation);
    return conversation;
  }
}
