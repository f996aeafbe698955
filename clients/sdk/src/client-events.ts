import type { Message } from '@tidings/protocol/content';
import type { Conversation, GatewayAddress, Presence } from '@tidings/protocol/http';
import type { AccountEvent } from './account';
import type { StopReason } from './connection';
import type { ConversationNews, Source } from './replica';
import type { OutgoingState } from './outbox-lane';
import type { Outgoing } from './outgoing';
import type { Place } from './outbox';
import type { ReceiptNews } from './receipt-book';
import type { SyncResult } from './sync-runner';
import type { TypingNews } from './typing';

/**
 * `connecting`: the first attempt, or the first after a loss; `offline`: an attempt failed, others
 * follow; `stopped`: for good.
 */
export type ClientState = 'connecting' | 'online' | 'offline' | 'stopped';

/** What went wrong without ending anything. */
export interface Problem {
  kind: 'outbox_store' | 'diverged' | 'sync_refused' | 'server_error';
  detail: string;
}

/** Events of a client. */
export interface ClientEvents {
  state: { state: ClientState; reason?: string; gatewayId?: string };
  /** A message seen for the first time, own ones included. */
  message: { message: Message; own: boolean; source: Source };
  /** A message seen before has another place or content. */
  changed: { message: Message; own: boolean; source: Source };
  /** The time of held messages is over: nothing of them is held any more. */
  expired: { conversationId: string; messageIds: string[] };
  conversation: ConversationNews;
  /** A conversation that the application looks at (see TidingsClient.details) has changed. */
  details: { conversation: Conversation };
  /** An outgoing message reached a state; `sent`, `held` and `failed` have their own events too. */
  outgoing: { outgoing: Outgoing; state: OutgoingState };
  sent: { outgoing: Outgoing; place: Place };
  held: { outgoing: Outgoing };
  /** Refused for good. `void`: it was reported as sent before, but its id belongs to another message. */
  failed: { messageId: string; outgoing?: Outgoing; code: string; detail: string; void: boolean };
  /** A change of an own message that an earlier run had asked for was refused. */
  changeFailed: { messageId: string; conversationId?: string; code: string; detail: string };
  /** The receivers of an own message are not online. */
  pending: { conversationId: string; messageId: string; position: string; offline: string[] };
  /** A member has received or read more; `own`: this user, on any device. */
  receipt: ReceiptNews;
  /** Another member began to write, or stopped; it ends by itself when nothing more is heard. */
  typing: TypingNews;
  /** Another word about a watched user; see TidingsClient.watch. */
  presence: Presence;
  /** The number of unread messages of a conversation has changed. */
  unread: { conversationId: string; unread: number };
  /** A sync was answered. `complete`: everything up to now is held. */
  synced: SyncResult;
  /** Parts of the account have changed; with those that were read by `client.account`, read again. */
  account: AccountEvent;
  /** The server has named gateways to this login, the best first; see TidingsClient.addServers. */
  gateways: { gateways: readonly GatewayAddress[] };
  problem: Problem;
  stopped: StopReason;
}
