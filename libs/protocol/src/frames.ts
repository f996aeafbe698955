import { z } from 'zod';
import { content, contentProblem, conversationChange, message, PROBLEM_DETAILS } from './content';
import type { ErrorCode } from './errors';
import { fieldErrors, fieldErrorText } from './field-errors';
import { extrasProblem, extrasShape } from './extras';
import { receipt } from './http';
import { conversationId, uuid } from './ids';
import { shedFrame } from './lanes';
import { LIMITS } from './limits';
import { position } from './positions';
import { activityFrame, presencePushFrame, stateFrame, watchFrame } from './presence';
import { typingFrame, typingPushFrame } from './typing';

/** WebSocket subprotocols: the first names the version, the second carries the ticket. */
export const SUBPROTOCOL = 'tidings.v1.json';
export const TICKET_PROTOCOL_PREFIX = 'ticket.';

const ref = z.string().min(1).max(LIMITS.refChars);

/** Client → server: a message; exactly one of `conversationId` and `to`. */
const sendFrame = z.strictObject({
  type: z.literal('send'),
  messageId: uuid,
  conversationId: conversationId.optional(),
  to: uuid.optional(),
  content,
  ...extrasShape,
  retry: z.literal(true).optional(),
});
export type SendFrame = z.infer<typeof sendFrame>;

const changeShape = { changeId: uuid, messageId: uuid, conversationId };

/** Client → server: new content for one of the user's own messages, of the same kind. */
const editFrame = z.strictObject({ type: z.literal('edit'), ...changeShape, content });
/** Client → server: delete a message for everybody. */
const deleteFrame = z.strictObject({ type: z.literal('delete'), ...changeShape });
export type ChangeFrame = z.infer<typeof editFrame> | z.infer<typeof deleteFrame>;

/** What a client holds of one conversation. */
const syncEntry = z.strictObject({
  conversationId,
  position,
  digest: z.string().max(64).optional(),
});

/** Body of `sync`, as a frame and as `POST /v1/sync`. */
export const syncRequest = z.strictObject({
  since: z.string().min(1).max(LIMITS.sinceChars).optional(),
  asOf: z.iso.datetime().optional(),
  conversations: z.array(syncEntry).max(LIMITS.syncListed).optional(),
});
export type SyncRequest = z.infer<typeof syncRequest>;

const syncFrame = syncRequest.extend({ type: z.literal('sync'), ref });
/** Client → server: everything up to `position` was received, or read. */
const receivedFrame = z.strictObject({
  type: z.literal('received'),
  conversationId,
  position,
});
const readFrame = z.strictObject({ type: z.literal('read'), conversationId, position });
export type MarkFrame = z.infer<typeof receivedFrame> | z.infer<typeof readFrame>;

const pingFrame = z.strictObject({ type: z.literal('ping'), ref: ref.optional() });

export const clientFrame = z.discriminatedUnion('type', [
  sendFrame,
  editFrame,
  deleteFrame,
  receivedFrame,
  readFrame,
  typingFrame,
  activityFrame,
  stateFrame,
  watchFrame,
  syncFrame,
  pingFrame,
]);
export type ClientFrame = z.infer<typeof clientFrame>;

const CLIENT_TYPES: ReadonlySet<string> = new Set(
  clientFrame.options.map((o) => o.shape.type.value),
);

/** A rate as clients are told about it; see `Rate` in `limits.ts`. */
const announcedRate = z.object({
  per: z.string(),
  burst: z.number(),
  perMinute: z.number(),
});

/** Server → client frames. Clients ignore unknown fields. */
const welcomeFrame = z.object({
  type: z.literal('welcome'),
  connectionId: z.string(),
  userId: uuid,
  deviceId: uuid,
  gatewayId: z.string(),
  serverTime: z.string(),
  heartbeatSeconds: z.number(),
  limits: z.record(z.string(), z.number()),
  /**
   * The rates in force, by name; a rate that is not named does not apply. Absent from older
   * servers.
   */
  rates: z.record(z.string(), announcedRate).optional(),
  features: z.array(z.string()),
  resumeTicket: z.string(),
});

const sentFrame = z.object({
  type: z.literal('sent'),
  messageId: uuid,
  conversationId,
  position,
  sentAt: z.string(),
  /** When the message expires; absent: never. */
  expiresAt: z.string().optional(),
});
export type SentFrame = z.infer<typeof sentFrame>;

const heldFrame = z.object({ type: z.literal('held'), messageId: uuid });

/**
 * `previous`: position of the conversation's preceding record. "0": this is the first. Null:
 * unknown.
 */
const previous = position.nullable();

export const messageFrame = message.extend({ type: z.literal('message'), previous });
export type MessageFrame = z.infer<typeof messageFrame>;

/**
 * A message was edited or deleted; the frame has the whole message as it is now. `position` is the
 * message's, `version` and `previous` are the change's. `hidden` occurs only in an answer, to a
 * user who no longer sees the message: it holds what they sent themselves and says nothing about
 * the conversation.
 */
export const changedFrame = message.extend({
  type: z.literal('changed'),
  changeId: uuid,
  previous,
  hidden: z.literal(true).optional(),
});
export type ChangedFrame = z.infer<typeof changedFrame>;

const conversationFrame = z.object({
  type: z.literal('conversation'),
  conversationId,
  position,
  previous,
  messageId: uuid,
  senderId: uuid,
  sentAt: z.string(),
  change: conversationChange,
});
export type ConversationFrame = z.infer<typeof conversationFrame>;

const pendingFrame = z.object({
  type: z.literal('pending'),
  conversationId,
  messageId: uuid,
  position,
  offline: z.array(uuid),
});

/**
 * A member's watermarks have risen. Merge by maximum. `read` is "0" where privacy hides it. On the
 * reader's own other devices `unread` counts the messages of others in (`read`, `upTo`]; both are
 * absent when storage cannot tell.
 */
export const receiptFrame = z.object({
  type: z.literal('receipt'),
  conversationId,
  userId: uuid,
  delivered: position,
  read: position,
  unread: z.number().int().optional(),
  upTo: position.optional(),
});
export type ReceiptFrame = z.infer<typeof receiptFrame>;

const syncedConversation = z.object({
  conversationId,
  state: z.enum(['same', 'behind', 'reset', 'gone', 'new']),
  messages: z.array(message),
  more: z.boolean(),
  upTo: position,
  digest: z.string(),
  unread: z.number().int(),
  /** Complete up to 32 members. In larger groups only those of the requesting user. */
  receipts: z.array(receipt),
});
export type SyncedConversation = z.infer<typeof syncedConversation>;

/** Answer to `sync`. Several may share one `ref`; the last one has `since` and `complete`. */
export const syncedBody = z.object({
  since: z.string().optional(),
  conversations: z.array(syncedConversation),
  complete: z.boolean().optional(),
  delayed: z.boolean().optional(),
});
export type SyncedBody = z.infer<typeof syncedBody>;

const syncedFrame = syncedBody.extend({ type: z.literal('synced'), ref: z.string() });

const resyncFrame = z.object({
  type: z.literal('resync'),
  reason: z.string(),
  withinMs: z.number(),
});

const accountFrame = z.object({
  type: z.literal('account'),
  changed: z.array(z.enum(['contacts', 'incoming', 'blocks', 'devices', 'settings', 'me'])),
});
/** A part of the account that clients show and fetch. */
export type AccountPart = z.infer<typeof accountFrame>['changed'][number];

const goodbyeFrame = z.object({
  type: z.literal('goodbye'),
  reason: z.string(),
  reconnect: z.boolean(),
  afterMs: z.number(),
  gateways: z.array(z.object({ id: z.string(), url: z.string() })),
});

const pongFrame = z.object({
  type: z.literal('pong'),
  ref: z.string().optional(),
  serverTime: z.string(),
});

const errorFrame = z.object({
  type: z.literal('error'),
  ref: z.string().optional(),
  messageId: uuid.optional(),
  conversationId: conversationId.optional(),
  code: z.string(),
  detail: z.string(),
  retryable: z.boolean(),
  retryAfterMs: z.number().optional(),
});
export type ErrorFrame = z.infer<typeof errorFrame>;

export const serverFrame = z.discriminatedUnion('type', [
  welcomeFrame,
  sentFrame,
  heldFrame,
  messageFrame,
  changedFrame,
  conversationFrame,
  pendingFrame,
  receiptFrame,
  typingPushFrame,
  presencePushFrame,
  syncedFrame,
  resyncFrame,
  accountFrame,
  shedFrame,
  goodbyeFrame,
  pongFrame,
  errorFrame,
]);
export type ServerFrame = z.infer<typeof serverFrame>;

/** What this server offers beyond the core of version 1, in `welcome.features` and `GET /v1`. */
export const FEATURES: readonly string[] = [
  'extras',
  'changes',
  'receipts',
  'typing',
  'trace',
  'presence',
  'shed',
  'broadcasts',
];

/** A refused frame, with what its answer should echo. */
export interface FrameRefusal {
  code: ErrorCode;
  detail: string;
  ref?: string;
  messageId?: string;
  conversationId?: string;
  to?: string;
}

export type ParsedFrame = { frame: ClientFrame } | { refusal: FrameRefusal };

/** Parses one client frame. Never throws: any input from outside ends in a typed refusal. */
export function parseClientFrame(text: string): ParsedFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { refusal: { code: 'invalid_frame', detail: 'The frame is not JSON' } };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { refusal: { code: 'invalid_frame', detail: 'A frame is one JSON object' } };
  }
  const raw = value as Record<string, unknown>;
  const echo = echoOf(raw);
  if (typeof raw['type'] !== 'string') {
    return { refusal: { code: 'invalid_frame', detail: 'type: a string is expected', ...echo } };
  }
  if (!CLIENT_TYPES.has(raw['type'])) {
    return { refusal: { code: 'unknown_type', detail: 'This frame type is not known', ...echo } };
  }
  const parsed = clientFrame.safeParse(raw);
  if (!parsed.success) {
    const [first] = fieldErrors(parsed.error);
    return { refusal: { code: 'invalid_frame', detail: fieldErrorText(first!), ...echo } };
  }
  const frame = parsed.data;
  const problem = problemOf(frame);
  return problem ? { refusal: { ...problem, ...echo } } : { frame };
}

function problemOf(frame: ClientFrame): { code: ErrorCode; detail: string } | null {
  if (frame.type === 'send') return sendProblem(frame);
  return frame.type === 'edit' ? refusalOf(contentProblem(frame.content)) : null;
}

function sendProblem(frame: SendFrame): { code: ErrorCode; detail: string } | null {
  if ((frame.conversationId === undefined) === (frame.to === undefined)) {
    return { code: 'invalid_frame', detail: 'exactly one of conversationId and to is expected' };
  }
  return refusalOf(contentProblem(frame.content) ?? extrasProblem(frame));
}

/** Content that cannot be stored makes the frame invalid. */
function refusalOf(problem: ErrorCode | null): { code: ErrorCode; detail: string } | null {
  if (problem === null) return null;
  const code = problem === 'invalid_request' ? 'invalid_frame' : problem;
  return { code, detail: PROBLEM_DETAILS[problem] ?? problem };
}

function echoOf(raw: Record<string, unknown>): Partial<FrameRefusal> {
  const echo: Partial<FrameRefusal> = {};
  if (raw['type'] === 'edit' || raw['type'] === 'delete') {
    // without the message's id: the message itself was not refused
    if (uuid.safeParse(raw['changeId']).success) echo.ref = raw['changeId'] as string;
  } else if (uuid.safeParse(raw['messageId']).success) {
    echo.messageId = raw['messageId'] as string;
    if (raw['type'] === 'send') echo.ref = echo.messageId;
  }
  if (conversationId.safeParse(raw['conversationId']).success) {
    echo.conversationId = raw['conversationId'] as string;
  }
  if (uuid.safeParse(raw['to']).success) echo.to = raw['to'] as string;
  if (ref.safeParse(raw['ref']).success) echo.ref = raw['ref'] as string;
  return echo;
}
