import { z } from 'zod';
import { content, conversationKind, historyMode, memberRole, message } from './content';
import { extrasShape } from './extras';
import { conversationId, uuid } from './ids';
import { LIMITS } from './limits';
import { position } from './positions';
import { fitsBytes, isPlainLine, isStorable, isVisible } from './text';

/** Where a gateway accepts WebSockets. */
export const SOCKET_PATH = '/v1/ws';

/**
 * A line of text that people typed: storable, not trimmed, without control or invisible characters.
 */
export function line(maxChars: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(maxChars)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'control characters are not allowed')
    .refine(isPlainLine, 'hidden characters are not allowed')
    .refine(isVisible, 'must not be blank');
}

/** `POST /v1/users`. User name and password have rules and errors of their own on the server. */
export const registerBody = z.strictObject({
  username: z.string().max(256),
  email: z.email().max(LIMITS.emailChars),
  firstName: line(LIMITS.nameChars),
  lastName: line(LIMITS.nameChars).optional(),
  password: z.string(),
});
export type RegisterBody = z.infer<typeof registerBody>;

const deviceName = line(LIMITS.nameChars);

/** `POST /v1/auth/login`. */
export const loginBody = z.strictObject({
  username: z.string().max(256),
  password: z.string().max(LIMITS.passwordMaxBytes * 4),
  device: z.strictObject({ id: uuid.optional(), name: deviceName.optional() }).optional(),
});
export type LoginBody = z.infer<typeof loginBody>;

/** `POST /v1/me/password`. The new password has rules and errors of its own on the server. */
export const passwordBody = z.strictObject({
  current: z.string().max(LIMITS.passwordMaxBytes * 4),
  next: z.string(),
});
export type PasswordBody = z.infer<typeof passwordBody>;

export const refreshBody = z.strictObject({ refreshToken: z.string().min(1).max(512) });

/** `PUT /v1/conversations/:id/receipts`. */
export const receiptsBody = z
  .strictObject({ delivered: position.optional(), read: position.optional() })
  .refine(
    (b) => b.delivered !== undefined || b.read !== undefined,
    'delivered or read is expected',
  );
export type ReceiptsBody = z.infer<typeof receiptsBody>;

/** `POST /v1/connections`. */
export const connectionsBody = z.strictObject({
  deviceId: uuid,
  avoid: z.array(z.string().max(64)).max(16).optional(),
});
export type ConnectionsBody = z.infer<typeof connectionsBody>;

const title = line(LIMITS.titleBytes).refine(
  (s) => fitsBytes(s, LIMITS.titleBytes),
  `at most ${LIMITS.titleBytes} bytes`,
);
const messageTtlSeconds = z.number().int().min(LIMITS.ttlMinSeconds).max(LIMITS.ttlMaxSeconds);
const memberIds = z.array(uuid).max(LIMITS.groupMembers);

/**
 * A new group. `requestId` is chosen by the client and unique per creator: repeating it creates no
 * second group.
 */
export const groupBody = z.strictObject({
  kind: z.literal('group'),
  requestId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, _ and - are allowed'),
  title,
  userIds: memberIds,
  messageTtlSeconds: messageTtlSeconds.optional(),
  history: historyMode.optional(),
});
export type GroupBody = z.infer<typeof groupBody>;

/** `POST /v1/conversations`. */
export const conversationBody = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('direct'), userIds: z.array(uuid).length(1) }),
  groupBody,
]);
export type ConversationBody = z.infer<typeof conversationBody>;

/** `PATCH /v1/conversations/:id`. A lifetime of null: messages are kept. */
export const conversationPatch = z
  .strictObject({
    title: title.optional(),
    messageTtlSeconds: messageTtlSeconds.nullable().optional(),
  })
  .refine((patch) => Object.keys(patch).length > 0, 'nothing to change');
export type ConversationPatch = z.infer<typeof conversationPatch>;

/** `POST /v1/conversations/:id/members`. */
export const addMembersBody = z.strictObject({ userIds: memberIds.min(1) });

/** `PATCH /v1/conversations/:id/members/:userId`. */
export const memberPatch = z.strictObject({ role: memberRole });

const pageLimit = z.coerce.number().int().min(1).max(LIMITS.pageItems);
const cursor = z.string().min(1).max(256);

/** Whether a search is for a whole e-mail address: names never contain `@`. */
export function isEmailSearch(query: unknown): boolean {
  return typeof query === 'string' && query.includes('@');
}

export const usersQuery = z.strictObject({
  query: z
    .string()
    .max(LIMITS.emailChars)
    .refine((q) => isEmailSearch(q) || q.length <= LIMITS.queryChars, 'too long')
    .refine(isStorable, 'not storable')
    .optional(),
  ids: z
    .string()
    .transform((s) => s.split(','))
    .pipe(z.array(uuid).min(1).max(LIMITS.pageItems))
    .optional(),
  cursor: cursor.optional(),
  limit: pageLimit.optional(),
});

export const pageQuery = z.strictObject({ cursor: cursor.optional(), limit: pageLimit.optional() });

/** `GET /v1/conversations/:id/messages`. */
export const historyQuery = z.strictObject({
  before: position.optional(),
  after: position.optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.historyItems).optional(),
});

export const presenceQuery = z.strictObject({
  userIds: z
    .string()
    .transform((s) => s.split(','))
    .pipe(z.array(uuid).min(1).max(LIMITS.pageItems)),
});

/** `PUT /v1/conversations/:id/messages/:messageId`. */
export const putMessageBody = z.strictObject({ content, ...extrasShape });

/** A user as others see them. */
export const user = z.object({
  id: uuid,
  username: z.string(),
  firstName: z.string(),
  lastName: z.string().optional(),
});
export type User = z.infer<typeof user>;

/** Who may see or do what; stored per user. */
const privacy = z.strictObject({
  lastSeen: z.enum(['everyone', 'contacts', 'nobody']),
  /** False: others do not see what this user has read, nor does this user see theirs. */
  readReceipts: z.boolean(),
  messages: z.enum(['everyone', 'contacts']),
  groups: z.enum(['everyone', 'contacts']),
  findByEmail: z.boolean(),
});
export type Privacy = z.infer<typeof privacy>;

/** A user as they see themselves. */
export const me = user.extend({ email: z.string(), createdAt: z.string(), privacy });
export type Me = z.infer<typeof me>;

/** `PATCH /v1/me`. Absent fields stay as they are; `lastName: null` removes it. */
export const patchMeBody = z.strictObject({
  firstName: line(LIMITS.nameChars).optional(),
  lastName: line(LIMITS.nameChars).nullable().optional(),
  privacy: privacy.partial().optional(),
});
export type PatchMeBody = z.infer<typeof patchMeBody>;

export const contact = z.object({ user, mutual: z.boolean() });
export type Contact = z.infer<typeof contact>;

/** Somebody whose direct messages a user refuses. */
export const block = z.object({ user, blockedAt: z.string() });
export type Block = z.infer<typeof block>;

/** A device that is logged in. `lastSeenAt`: its last login or token refresh. */
export const device = z.object({
  id: uuid,
  name: z.string().optional(),
  createdAt: z.string(),
  lastSeenAt: z.string(),
  /** True for the requesting device. */
  current: z.boolean(),
  /** Whether it is connected now. */
  online: z.boolean(),
});
export type Device = z.infer<typeof device>;

/** Wrong passwords tried for an account in the last 30 days, since its password was changed. */
export const failedLogins = z.object({ count: z.number().int().positive(), lastAt: z.string() });
export type FailedLogins = z.infer<typeof failedLogins>;

/** Answer of `GET /v1/me/devices`. Without `failedLogins` there were none. */
export interface DevicesAnswer {
  items: Device[];
  failedLogins?: FailedLogins;
}

/** A member's watermarks, as the requesting user may see them. A hidden `read` is "0". */
export const receipt = z.object({ userId: uuid, delivered: position, read: position });
export type Receipt = z.infer<typeof receipt>;

export const member = receipt.extend({ role: memberRole });
export type Member = z.infer<typeof member>;

/** A conversation as one of its members sees it. */
export const conversation = z.object({
  id: conversationId,
  kind: conversationKind,
  title: z.string().optional(),
  createdAt: z.string(),
  visibleFrom: position,
  messageTtlSeconds: z.number().int().optional(),
  memberCount: z.number().int(),
  members: z.array(member).optional(),
  lastPosition: position.optional(),
  unread: z.number().int(),
  digest: z.string(),
  lastMessage: message.optional(),
});
export type Conversation = z.infer<typeof conversation>;

/**
 * A conversation after a change. `position` is that of the change; absent when nothing had to
 * change.
 */
export const changedConversation = conversation.extend({ position: position.optional() });
export type ChangedConversation = z.infer<typeof changedConversation>;

/** A list. `cursor` is present when more items follow. */
export interface Page<T> {
  items: T[];
  cursor?: string;
}

/**
 * `GET …/messages`, ascending. `more`: further messages lie beyond this page in the requested
 * direction.
 */
export interface HistoryPage {
  items: Message[];
  more: boolean;
  /** Storage or Kafka is behind: newer entries may exist. */
  delayed?: boolean;
}
type Message = z.infer<typeof message>;

export interface Tokens {
  accessToken: string;
  expiresInSeconds: number;
  refreshToken: string;
}

/** Answer of `POST /v1/auth/login`. */
export interface LoginAnswer extends Tokens {
  deviceId: string;
  user: User;
}

export interface GatewayAddress {
  id: string;
  /** WebSocket address. */
  url: string;
}

/** Answer of `POST /v1/connections`. */
export interface ConnectionsAnswer {
  ticket: string;
  expiresInSeconds: number;
  gateways: GatewayAddress[];
  heartbeatSeconds: number;
  backoff: { baseMs: number; maxMs: number };
}

/** Answer of `POST /v1/media`. Width and height only for images, in pixels as shown. */
export interface MediaAnswer {
  mediaId: string;
  width?: number;
  height?: number;
  /** Bytes, as stored and served. */
  size: number;
  /** MIME type. */
  type: string;
}

/** Answer of `GET /v1/media/:id/url`. Files have no thumbnail. */
export interface MediaUrlAnswer {
  url: string;
  thumbnailUrl?: string;
  /** ISO 8601 UTC. */
  expiresAt: string;
}

/** Header of `POST /v1/media` that names the conversation of the upload. */
export const CONVERSATION_HEADER = 'x-conversation-id';

/** Query of a signed media URL. `expires` is in Unix seconds. */
export const signedMediaQuery = z.strictObject({
  variant: z.enum(['original', 'thumbnail']),
  user: uuid,
  expires: z.coerce.number().int().positive(),
  signature: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type SignedMediaQuery = z.infer<typeof signedMediaQuery>;
export type MediaVariant = SignedMediaQuery['variant'];

const presenceStatus = z.enum(['online', 'away', 'offline']);

export const presence = z.object({
  userId: uuid,
  status: presenceStatus,
  lastSeenAt: z.string().nullable(),
  activeAt: z.string().nullable(),
  /**
   * The time at which this was true, in µs of the servers' clock. Of two answers the higher one is
   * newer.
   */
  version: z.number().int().nonnegative(),
});
export type Presence = z.infer<typeof presence>;

/** An error over HTTP (RFC 9457, `application/problem+json`). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
  retryable: boolean;
  errors?: { path: string; message: string }[];
}
