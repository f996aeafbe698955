export { TidingsClient } from './client';
export type { ClientOptions } from './client-options';
export { ConversationClient } from './conversation-client';
export type { Recipient, Sendable, Written } from './sendable';
export { CHANGES_LIMIT } from './changes';
export type { ClientEvents, ClientState, Problem } from './client-events';
export { Outgoing, type Outcome } from './outgoing';
export type { OutgoingState } from './outbox-lane';
export { OUTBOX_LIMIT, type Place } from './outbox';
export { IndexedDbOutboxStore } from './indexed-db-outbox';
export type { IdbFactory } from './indexed-db';
export {
  MemoryOutboxStore,
  type ChangeRecord,
  type ChangeStore,
  type OutboxRecord,
  type OutboxStore,
} from './outbox-store';
export { ConversationModel, type Change, type PushedEntry } from './conversation-model';
export type { ConversationNews, Source } from './replica';
export {
  TidingsApi,
  type HistoryOptions,
  type PageOptions,
  type PutAnswer,
  type ServerInfo,
} from './api';
export { Account, type AccountEvent, type AccountLists } from './account';
export {
  HttpClient,
  type HttpCall,
  type HttpOptions,
  type UploadData,
  type UploadOptions,
} from './http';
export { TokenKeeper, endsLogin, type SavedLogin, type SaveLogin } from './tokens';
export {
  ClientError,
  InvalidCallError,
  NetworkError,
  OutboxFullError,
  StoppedError,
  StoreError,
  UnsupportedError,
  type CallProblem,
  type ClientErrorCode,
  type StoppedCode,
} from './errors';
export type { Page } from './page';
export type { ReceiptNews } from './receipt-book';
export type { ReadBy } from './receipts';
export type { SyncResult } from './sync-runner';
export type { TypingNews } from './typing';
export type { StopReason } from './connection';
export { systemClock, type Cancel, type Clock, type Random } from './clock';
export { browserTransport, type BrowserSocket, type BrowserSocketClass } from './browser-transport';
export type { SocketHandlers, Transport, TransportSocket } from './transport';
export { readFrame, type IncomingFrame } from './frames';
export type { ChangedFrame } from '@tidings/protocol/frames';
export { stateDigest, subtleSha256, type Hash } from './sha256';
export {
  TidingsError,
  isErrorCode,
  type ErrorCode,
  type FieldError,
} from '@tidings/protocol/errors';
export type { Extras } from '@tidings/protocol/extras';
export type {
  Content,
  ConversationChange,
  MemberRole,
  Message,
  MessageContent,
} from '@tidings/protocol/content';
export type {
  Block,
  ChangedConversation,
  Contact,
  Conversation,
  ConversationPatch,
  Device,
  GroupBody,
  HistoryPage,
  Me,
  MediaAnswer,
  MediaUrlAnswer,
  Member,
  PatchMeBody,
  Presence,
  Privacy,
  Receipt,
  User,
} from '@tidings/protocol/http';
export type { Trace, TraceMark } from '@tidings/protocol/trace';
export { comparePositions } from '@tidings/protocol/positions';
