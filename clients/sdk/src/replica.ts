import { EVERYONE_ID } from '@tidings/protocol/ids';
import type { ConversationChange, Message } from '@tidings/protocol/content';
import { extrasOf, type Extras } from '@tidings/protocol/extras';
import type {
  ChangedFrame,
  ConversationFrame,
  MessageFrame,
  SentFrame,
  SyncedConversation,
} from '@tidings/protocol/frames';
import { ConversationModel, type Change } from './conversation-model';

/** How a message reached this client. */
export type Source = 'push' | 'sync' | 'history' | 'sent';

/** What happened to a conversation as a whole. */
export interface ConversationNews {
  conversationId: string;
  /** `reset`: the local copy was dropped and restarted. `gone`: not a member. */
  what: 'new' | 'updated' | 'reset' | 'gone';
  change?: ConversationChange;
}

/** What a replica reports. */
export interface ReplicaHandlers {
  message(change: Change, source: Source): void;
  /** An event of a conversation (its creation, or a change) became known. */
  event(conversationId: string): void;
  conversation(news: ConversationNews): void;
  /** The other user of a direct conversation became known. */
  direct(userId: string, conversationId: string): void;
  /** Two syncs in a row found that the local copy differs from the server's. */
  diverged(conversationId: string): void;
}

/** All conversations as this client holds them. Pure: no clock, no I/O. */
export class Replica {
  private readonly models = new Map<string, ConversationModel>();
  private readonly resets = new Set<string>();
  private readonly directs = new Map<string, string>();
  private synced = false;

  constructor(
    private readonly userId: string,
    private readonly handlers: ReplicaHandlers,
  ) {}

  /** The model of a conversation; undefined: unknown conversation. */
  get(conversationId: string): ConversationModel | undefined {
    return this.models.get(conversationId);
  }

  /** All known conversations, including left ones; the one with the latest news last. */
  all(): ConversationModel[] {
    return [...this.models.values()];
  }

  /** A new connection. */
  connected(): void {
    for (const model of this.models.values()) model.connected();
  }

  /** Whether the connection in use has been synced (see ConversationModel.trustUnknown). */
  set inStep(inStep: boolean) {
    if (this.synced === inStep) return;
    this.synced = inStep;
    for (const model of this.models.values()) model.trustUnknown = inStep;
  }

  get inStep(): boolean {
    return this.synced;
  }

  /** The direct conversation with a user, as far as known. */
  directWith(userId: string): string | undefined {
    return this.directs.get(userId);
  }

  /** Learns the other user of a direct conversation. */
  learnDirect(userId: string, conversationId: string): void {
    if (this.directs.get(userId) === conversationId) return;
    this.directs.set(userId, conversationId);
    this.handlers.direct(userId, conversationId);
  }

  /**
   * Takes a pushed message or change. True: the conversation was unknown, so the rest of it has to
   * be requested from the server.
   */
  push(frame: MessageFrame | ChangedFrame): boolean {
    const { previous } = frame;
    const message = bareMessage(frame);
    const at = frame.type === 'changed' ? frame.version : frame.position;
    const { model, unknown } = this.touch(frame.conversationId);
    const changes = model.push({ message, at, previous });
    if (unknown) this.handlers.conversation({ conversationId: model.conversationId, what: 'new' });
    this.report(changes, 'push');
    // The first entry of everybody's conversation is all of it: not all who are here need to ask at once.
    const whole = previous === '0' && frame.conversationId === EVERYONE_ID;
    return unknown && !whole;
  }

  /**
   * Takes a pushed change of a conversation; its record is a message in the history. True: it adds
   * this user, so what happened while they were away (marks of others) has to be requested.
   */
  pushConversation(frame: ConversationFrame): boolean {
    const { conversationId, position, messageId, senderId, sentAt, change, previous } = frame;
    const message: Message = {
      conversationId,
      position,
      messageId,
      senderId,
      content: { kind: 'event', event: change },
      sentAt,
      version: '0',
    };
    const { model, unknown } = this.touch(conversationId);
    const back = model.gone;
    const added = change.kind === 'added' && change.userIds.includes(this.userId);
    const begins = added ? change.history : undefined;
    const changes = model.push({ message, at: position, previous, begins });
    const out = change.kind === 'removed' && change.userIds.includes(this.userId);
    if (out) model.leave(position);
    const begun = unknown || back || added || change.kind === 'created';
    const what = out && model.gone ? 'gone' : begun ? 'new' : 'updated';
    if (changes.length > 0) this.handlers.conversation({ conversationId, what, change });
    this.report(changes, 'push');
    return added;
  }

  /** Takes one conversation of a sync's answer. `asked`: the position that the request listed. */
  served(answer: SyncedConversation, asked: string | null): void {
    const { conversationId, state } = answer;
    const { model, unknown } = this.touch(conversationId);
    const back = model.away;
    const changes = model.serve(answer, asked);
    if (state === 'gone') this.handlers.conversation({ conversationId, what: 'gone' });
    else if (state === 'reset') this.handlers.conversation({ conversationId, what: 'reset' });
    else if (unknown || back) this.handlers.conversation({ conversationId, what: 'new' });
    this.report(changes, 'sync');
    if (state !== 'reset') this.resets.delete(conversationId);
    else if (this.resets.has(conversationId)) this.handlers.diverged(conversationId);
    else this.resets.add(conversationId);
  }

  /** Takes a page of a conversation's history. */
  page(
    conversationId: string,
    items: readonly Message[],
    asked: { before?: string; after?: string },
    more: boolean,
  ): void {
    const { model } = this.touch(conversationId);
    this.report(model.page(items, asked, more), 'history');
  }

  /**
   * Takes the position of one of this user's messages, with its expiry: no push follows once it has
   * expired.
   */
  sent(sent: SentFrame, own: Pick<Message, 'content'> & Extras): void {
    const { messageId, conversationId, position, sentAt, expiresAt } = sent;
    const model = this.models.get(conversationId);
    if (!model) return;
    const senderId = this.userId;
    const message: Message = {
      conversationId,
      position,
      messageId,
      senderId,
      content: own.content,
      sentAt,
      version: '0',
      ...extrasOf(own),
      ...(expiresAt !== undefined && { expiresAt }),
    };
    this.report(model.sent(message), 'sent');
  }

  /** Drops an expired message and returns it. */
  expire(conversationId: string, messageId: string): Message | undefined {
    return this.models.get(conversationId)?.expire(messageId);
  }

  /** Drops one of this user's messages whose id belongs to another message. */
  drop(conversationId: string, messageId: string): void {
    this.models.get(conversationId)?.drop(messageId);
  }

  /** Returns the conversation's model, and marks it as the latest. */
  private touch(conversationId: string): { model: ConversationModel; unknown: boolean } {
    let model = this.models.get(conversationId);
    const unknown = !model?.known;
    if (model) {
      this.models.delete(conversationId);
    } else {
      model = new ConversationModel(conversationId);
      model.trustUnknown = this.synced;
    }
    this.models.set(conversationId, model);
    return { model, unknown };
  }

  private report(changes: readonly Change[], source: Source): void {
    for (const change of changes) {
      this.learnFrom(change.message);
      this.handlers.message(change, source);
    }
  }

  private learnFrom({ content, conversationId }: Message): void {
    if (content.kind === 'event') this.handlers.event(conversationId);
    if (content.kind !== 'event' || content.event.kind !== 'created') return;
    if (content.event.conversationKind !== 'direct') return;
    const other = content.event.userIds.find((id) => id !== this.userId);
    if (other !== undefined) this.learnDirect(other, conversationId);
  }
}

/** The message inside a frame, without the frame's own fields. */
export function bareMessage(frame: MessageFrame | ChangedFrame): Message {
  const { conversationId, position, messageId, senderId, content, sentAt, version } = frame;
  const message: Message = {
    conversationId,
    position,
    messageId,
    senderId,
    content,
    sentAt,
    version,
    ...extrasOf(frame),
  };
  if (frame.expiresAt !== undefined) message.expiresAt = frame.expiresAt;
  if (frame.deleted !== undefined) message.deleted = frame.deleted;
  return message;
}
