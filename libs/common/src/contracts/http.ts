import { z } from 'zod';
import { content, message } from './content';
import { conversationKind } from './events';
import { conversationId, uuid } from './ids';
import { LIMITS } from './limits';
import { position } from './positions';
import { isStorable } from './text';

/** A line of text that people typed: storable, trimmed of nothing, without control characters. */
function line(maxChars: number): z.ZodString {
  return z
    .string()
    .min(1)
    .max(maxChars)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'control characters are not allowed')
    .refine((s) => s.trim().length > 0, 'must not be blank');
}

/** `POST /v1/users`. User name and password have their own rules and errors on the server. */
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

export const refreshBody = z.strictObject({ refreshToken: z.string().min(1).max(512) });

/** `POST /v1/connections`. */
export const connectionsBody = z.strictObject({
  deviceId: uuid,
  avoid: z.array(z.string().max(64)).max(16).optional(),
});
export type ConnectionsBody = z.infer<typeof connectionsBody>;

/** `POST /v1/conversations`. */
export const conversationBody = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('direct'), userIds: z.array(uuid).length(1) }),
]);
export type ConversationBody = z.infer<typeof conversationBody>;

const pageLimit = z.coerce.number().int().min(1).max(LIMITS.pageItems);
const cursor = z.string().min(1).max(256);

export const usersQuery = z.strictObject({
  query: z.string().max(LIMITS.queryChars).refine(isStorable, 'not storable').optional(),
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
export const putMessageBody = z.strictObject({ content });

/** A user as others see it. */
export const user = z.object({
  id: uuid,
  username: z.string(),
  firstName: z.string(),
  lastName: z.string().optional(),
});
export type User = z.infer<typeof user>;

/** A user as it sees itself. */
export const me = user.extend({ email: z.string(), createdAt: z.string() });
export type Me = z.infer<typeof me>;

export const contact = z.object({ user, mutual: z.boolean() });
export type Contact = z.infer<typeof contact>;

export const member = z.object({
  userId: uuid,
  role: z.enum(['owner', 'admin', 'member']),
  delivered: position,
  read: position,
});
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

/** A list answer: `cursor` is there when more items follow. */
export interface Page<T> {
  items: T[];
  cursor?: string;
}

/** `GET …/messages`: ascending; `more`: others lie beyond this page in the asked direction. */
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

/** Answer of `POST /v1/media`. Width and height are an image's, in pixels as shown. */
export interface MediaAnswer {
  mediaId: string;
  width?: number;
  height?: number;
  /** Bytes, as they are kept and served. */
  size: number;
  /** MIME type. */
  type: string;
}

/** Answer of `GET /v1/media/:id/url`; files have no thumbnail. */
export interface MediaUrlAnswer {
  url: string;
  thumbnailUrl?: string;
  /** ISO 8601 UTC. */
  expiresAt: string;
}

/** Header of `POST /v1/media` that names the conversation the upload is for. */
export const CONVERSATION_HEADER = 'x-conversation-id';

/** Query of a signed media URL; `expires` is in Unix seconds. */
export const signedMediaQuery = z.strictObject({
  variant: z.enum(['original', 'thumbnail']),
  user: uuid,
  expires: z.coerce.number().int().positive(),
  signature: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type SignedMediaQuery = z.infer<typeof signedMediaQuery>;
export type MediaVariant = SignedMediaQuery['variant'];

export const presenceStatus = z.enum(['online', 'away', 'offline']);

export const presence = z.object({
  userId: uuid,
  status: presenceStatus,
  lastSeenAt: z.string().nullable(),
  activeAt: z.string().nullable(),
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
