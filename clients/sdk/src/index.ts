export { TidingsClient, type ClientOptions } from './client';
export type { Recipient, Words } from './live';
export type { ClientEvents, ClientState, Problem } from './client-events';
export { Outgoing, type Outcome } from './outgoing';
export type { OutgoingState } from './outbox-lane';
export { OUTBOX_LIMIT, type Place } from './outbox';
export { MemoryOutboxStore, type OutboxRecord, type OutboxStore } from './outbox-store';
export { ConversationModel, type Change, type PushedEntry } from './conversation-model';
export type { ConversationNews, Source } from './replica';
export {
  TidingsApi,
  type HistoryOptions,
  type PageOptions,
  type PutAnswer,
  type ServerInfo,
} from './api';
export { HttpClient, type HttpCall, type HttpOptions, type UploadData } from './http';
export { TokenKeeper, endsSession, type SavedSession, type SaveSession } from './tokens';
export { NetworkError, OutboxFullError, StoppedError } from './errors';
export type { SyncResult } from './sync-runner';
export type { StopReason } from './connection';
export { systemClock, type Cancel, type Clock, type Random } from './clock';
export { browserTransport, type BrowserSocket, type BrowserSocketClass } from './browser-transport';
export type { SocketHandlers, Transport, TransportSocket } from './transport';
export { readFrame, type ChangedFrame, type IncomingFrame } from './frames';
export { stateDigest, subtleSha256, type Hash } from './sha256';
export { TidingsError, isErrorCode, type ErrorCode } from '@tidings/common/contracts/errors';
export type { Content, Message, MessageContent } from '@tidings/common/contracts/content';
export type {
  Contact,
  Conversation,
  HistoryPage,
  Me,
  MediaAnswer,
  MediaUrlAnswer,
  Presence,
  User,
} from '@tidings/common/contracts/http';
export { comparePositions } from '@tidings/common/contracts/positions';
