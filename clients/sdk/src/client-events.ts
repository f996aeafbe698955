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
 * `connecting`: the first attempt, or the first after a loss. `offline`: an attempt failed; others
 * follow. `stopped`: for good.
 */
export type ClientState = 'connecting' | 'online' | 'offline' | 'stopped';

/** Something failed, without ending anything. */
export interface Problem {
  kind: 'outbox_store' | 'diverged' | 'sync_refused' | 'server_error';
  detail: string;
}

/** Events of a client. */
export interface ClientEvents {
  state: { state: ClientState; reason?: string; gatewayId?: string };
  /** A message seen for the first time, including this user's own. */
  message: { message: Message; own: boolean; source: Source };
  /** A known message has a new place or new content. */
  changed: { message: Message; own: boolean; source: Source };
  /** Messages have expired; nothing of them is held any more. */
  expired: { conversationId: string; messageIds: string[] };
  conversation: ConversationNews;
  /** A conversation that the application looks at has changed; see TidingsClient.details. */
  details: { conversation: Conversation };
  /**
   * An outgoing message reached a state. `sent`, `held` and `failed` also have events of their own.
   */
  outgoing: { outgoing: Outgoing; state: OutgoingState };
  sent: { outgoing: Outgoing; place: Place };
  held: { outgoing: Outgoing };
  /** Refused for good. `void`: it was reported as sent, but its id belongs to another message. */
  failed: { messageId: string; outgoing?: Outgoing; code: string; detail: string; void: boolean };
  /** The server refused a change that an earlier run had requested. */
  changeFailed: { messageId: string; conversationId?: string; code: string; detail: string };
  /** The receivers of one of this user's messages are not online. */
  pending: { conversationId: string; messageId: string; position: string; offline: string[] };
  /** A member has received or read more. `own`: this user, on any device. */
  receipt: ReceiptNews;
  /** Another member started or stopped typing. It ends on its own when nothing more is heard. */
  typing: TypingNews;
  /** New presence of a watched user; see TidingsClient.watch. */
  presence: Presence;
  /**
   * The gateway does less because of load, or all is normal again (none): `typing` is dropped, `presence` and
   * `receipts` come later, joined. Messages are never among them.
   */
  shed: { lanes: readonly string[] };
  /** The number of unread messages of a conversation has changed. */
  unread: { conversationId: string; unread: number };
  /** A sync was answered. `complete`: everything up to now is held. */
  synced: SyncResult;
  /**
   * Parts of the account have changed; those that `client.account` has read come along, read again.
   */
  account: AccountEvent;
  /** The server has named gateways for this login, the best first; see TidingsClient.addServers. */
  gateways: { gateways: readonly GatewayAddress[] };
  problem: Problem;
  stopped: StopReason;
}
