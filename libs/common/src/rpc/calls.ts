import { z } from 'zod';
import {
  adminSession,
  adminUser,
  cluster,
  disableBody,
  endBody,
  role,
} from '@tidings/protocol/admin';
import { conversationKind, memberRole, message } from '@tidings/protocol/content';
import { contentHash } from '../log-events/events';
import { syncRequest } from '@tidings/protocol/frames';
import {
  block,
  changedConversation,
  contact,
  conversation,
  device,
  failedLogins,
  groupBody,
  me,
  member,
  patchMeBody,
  presence,
  receipt,
  registerBody,
  user,
} from '@tidings/protocol/http';
import { conversationId, uuid } from '@tidings/protocol/ids';
import { position } from '@tidings/protocol/positions';
import { storedTrace } from '@tidings/protocol/trace';

/**
 * The internal calls between services: `POST /internal/<name>` with cluster credentials, one JSON
 * body each way. Most calls may be repeated on another instance without harm, however late: callers
 * ask the next one, too, when an instance shows no sign of life within 300 ms.
 */
export interface RpcMethod<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  input: I;
  output: O;
  /**
   * The field of the output that is a list of byte strings, each in pieces: they travel beside the
   * JSON, as they are.
   */
  bytes?: string;
  /**
   * What it sets, a later call may set back: a copy that a hung instance carries out when it wakes
   * would undo that. It is asked of one instance at a time, and not carried out for a caller that has
   * gone.
   */
  ordered?: true;
}

function rpc<I extends z.ZodType, O extends z.ZodType>(input: I, output: O): RpcMethod<I, O> {
  return { input, output };
}

function ordered<I extends z.ZodType, O extends z.ZodType>(input: I, output: O): RpcMethod<I, O> {
  return { input, output, ordered: true };
}

const limit = z.number().int().min(1).max(200);
const cursor = z.string().optional();
const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), cursor: z.string().optional() });
const empty = z.object({});

/** Next offset per partition of `chat.messages.v1`; null: unknown at the moment. Decimal strings. */
const barrier = z.array(z.string().nullable());
export type Barrier = z.infer<typeof barrier>;

/** One member's interval of positions (from, until]; `until` null: still a member. */
const interval = z.object({ userId: uuid, from: position, until: position.nullable() });
export type Interval = z.infer<typeof interval>;

/** What routing and admission need of a conversation. */
export const conversationRouting = z.object({
  conversationId,
  kind: conversationKind,
  version: z.number().int(),
  members: z.array(interval),
  /**
   * Some changes of members have no position yet: who is being removed is left out of `members`
   * already, who is being added is not in it yet.
   */
  pending: z.boolean().optional(),
  messageTtlSeconds: z.number().int().optional(),
  /** Direct only: who of the members may not send, because the other one blocks them. */
  blocked: z.array(uuid).optional(),
  /** Rises whenever `blocked` may have changed; orders data of the same `version`. */
  blocksVersion: z.number().int().optional(),
  /** Position of the last entry that storage has applied below `below` (or at all); "0": none. */
  lastPosition: position,
});
export type ConversationRouting = z.infer<typeof conversationRouting>;

/** The login of one device: a token is valid while its generation equals the device's. */
const deviceLogin = z.object({ userId: uuid, deviceId: uuid, generation: z.number() });
export type DeviceLogin = z.infer<typeof deviceLogin>;

/** Network address of the client, for the log of security events. */
const address = z.string().max(200).optional();
/** The same for one guess of a password, whichever instances are asked; left out: it counts each time. */
const guessId = uuid.optional();

/** `sequence` counts the refreshes of a device's login; access tokens carry it. */
const grant = deviceLogin.extend({ refreshToken: z.string(), sequence: z.number().int() });
const login = grant.extend({ user });

/** Why a device's login has ended. */
export const loginEnd = z.enum(['logged_out', 'replaced', 'disabled']);
export type LoginEnd = z.infer<typeof loginEnd>;

/**
 * Who acts as an operator: a user, who must be one, or (null) whoever holds the cluster's secret.
 * `origin`: an address, or what names the command and its machine.
 */
const by = z.object({ actor: uuid.nullable(), origin: z.string().max(200) });
export type ActsBy = z.infer<typeof by>;
/** Whom it is about. */
const whom = z.union([z.object({ userId: uuid }), z.object({ username: z.string().max(256) })]);
export type Whom = z.infer<typeof whom>;
/** The account afterwards, and whether the act has changed anything. */
const acted = z.object({ user: adminUser, changed: z.boolean() });

const firstAppend = z.object({
  position,
  senderId: uuid,
  contentHash: contentHash.nullable(),
  sentAt: z.string(),
  /** The end of its life, which may be over; null: it has none. */
  expiresAt: z.string().nullable(),
});
export type FirstAppend = z.infer<typeof firstAppend>;

/** A message before a change, the user who wants it, and what is known of the change's id. */
const changeTarget = z.object({
  /**
   * Null: it does not exist, has expired or is not visible to the user. When only the `change` is
   * the user's, as of somebody who has left: what stays the same for good, as if it were deleted.
   */
  message: message.nullable(),
  /** Whether the user sees the message now. */
  visible: z.boolean(),
  /** Null: no member, or there is no such conversation. */
  role: z.enum(['owner', 'admin', 'member']).nullable(),
  /** The first change under this id; `hash` null: its message is deleted since. */
  change: z
    .object({ position, messageId: uuid, userId: uuid, hash: contentHash.nullable() })
    .nullable(),
  /** Of the entry that the change's answer names (the change, or the deletion): the one before it. */
  previous: position.nullable(),
  /** Storage has applied up to `next`. */
  applied: z.boolean(),
});
export type ChangeTarget = z.infer<typeof changeTarget>;

/** What session pushes of one member's marks. */
const receiptView = z.object({
  /** The other present members and whether each may see `read`; empty: too many to be told. */
  others: z.array(z.object({ userId: uuid, seesRead: z.boolean() })),
  delivered: position,
  read: position,
  /** `delivered` as it was stored: tells those who may not see `read` whether there is news. */
  deliveredBefore: position,
  /** Messages of others in (`read`, `upTo`]; left out when `read` was not asked about. */
  unread: z.number().int().optional(),
  upTo: position.optional(),
});
export type ReceiptView = z.infer<typeof receiptView>;

const mediaKind = z.enum(['image', 'file']);

/** What is known of an upload. `width` and `height` (pixels as shown) belong to images. */
const mediaFacts = z.object({
  kind: mediaKind,
  type: z.string().max(127),
  size: z.number().int().nonnegative(),
  width: z.number().int().positive().optional(),
  height: z.number().int().positive().optional(),
});
export type MediaFacts = z.infer<typeof mediaFacts>;

/** An upload that somebody may read; `etag` tells its bytes from others. */
const mediaRecord = mediaFacts.extend({ mediaId: uuid, etag: z.string() });
export type MediaRecord = z.infer<typeof mediaRecord>;

/** `expiresAt`: when the last message that shows it to the reader ends; left out: none of these does. */
const readableMedia = mediaRecord.extend({ expiresAt: z.string().optional() });
export type ReadableMedia = z.infer<typeof readableMedia>;

/** Calls that storage answers. */
export const STORAGE_RPC = {
  /** `userId` is made by the caller: a repeated call finds its own account and succeeds. */
  'accounts.register': rpc(registerBody.extend({ userId: uuid, address }), user),
  /** A late copy would end the tokens that the device was given, or find it logged in already. */
  'accounts.login': ordered(
    z.object({
      username: z.string(),
      password: z.string(),
      device: z.object({ id: uuid.optional(), name: z.string().optional() }).optional(),
      address,
      guessId,
    }),
    login,
  ),
  /** Behind the first use of the new pair a late copy looks like the re-use of a stolen token, which ends the login. */
  'accounts.refresh': ordered(z.object({ refreshToken: z.string(), address }), grant),
  /**
   * A token of this refresh was used for the first time: the refresh token before it ends, and its
   * re-use revokes the family from now on.
   */
  'accounts.confirm': rpc(
    z.object({ userId: uuid, deviceId: uuid, sequence: z.number().int() }),
    empty,
  ),
  'accounts.logout': ordered(z.object({ userId: uuid, deviceId: uuid }), empty),
  /** Generation of a device's login; `not_found` when it is logged out or unknown. */
  'accounts.session': rpc(z.object({ userId: uuid, deviceId: uuid }), deviceLogin),
  /** Why a device has no login any more; `logged_out` when nobody knows. */
  'accounts.ended': rpc(z.object({ userId: uuid, deviceId: uuid }), z.object({ reason: loginEnd })),
  /** Devices that gave a sign of life lately, so many milliseconds ago; of those logged in it is kept. */
  'accounts.alive': rpc(
    z.object({
      items: z
        .array(z.object({ userId: uuid, deviceId: uuid, agoMs: z.number().int().nonnegative() }))
        .max(1000),
    }),
    empty,
  ),
  /** Which of these users may not do anything now. */
  'accounts.disabled': rpc(
    z.object({ userIds: z.array(uuid).max(1000) }),
    z.object({ items: z.array(uuid) }),
  ),
  'accounts.me': rpc(z.object({ userId: uuid }), me),
  /**
   * Changes the password and ends all devices but the calling one; those that this call ended are
   * answered. A repetition, whose `next` is the password already, succeeds.
   */
  'accounts.password': ordered(
    deviceLogin.extend({ current: z.string(), next: z.string(), address, guessId }),
    z.object({ ended: z.array(deviceLogin) }),
  ),
  /** Devices that are logged in, the last used first. */
  'devices.list': rpc(
    z.object({ userId: uuid }),
    z.object({
      items: z.array(device.omit({ current: true, online: true })),
      failedLogins: failedLogins.optional(),
    }),
  ),
  /** Logs a device of the user out; its login as it is now. `by`: the device that asks. */
  'devices.remove': ordered(
    z.object({ userId: uuid, deviceId: uuid, by: uuid, address }),
    deviceLogin,
  ),
  'accounts.patch': ordered(patchMeBody.extend({ userId: uuid }), me),
  'users.get': rpc(z.object({ ids: z.array(uuid) }), z.object({ items: z.array(user) })),
  /** `listing`: a query that is too short, or none, finds everybody; else it is `invalid_request`. */
  'users.search': rpc(
    z.object({
      userId: uuid,
      query: z.string().optional(),
      listing: z.boolean().optional(),
      cursor,
      limit,
    }),
    page(user),
  ),
  /** Who has this e-mail address and lets others find them by it; nobody else, whatever the reason. */
  'users.byEmail': rpc(z.object({ email: z.string() }), z.object({ items: z.array(user) })),
  'contacts.list': rpc(z.object({ userId: uuid, cursor, limit }), page(contact)),
  'contacts.incoming': rpc(z.object({ userId: uuid, cursor, limit }), page(user)),
  /** `added`: it was not there before. `unseen`: a block forbids to tell the contact of it. */
  'contacts.put': ordered(
    z.object({ userId: uuid, contactId: uuid }),
    contact.extend({ added: z.boolean(), unseen: z.boolean() }),
  ),
  /** `mutual`: the other one still has the user. `unseen`: as above. */
  'contacts.delete': ordered(
    z.object({ userId: uuid, contactId: uuid }),
    z.object({ removed: z.boolean(), mutual: z.boolean(), unseen: z.boolean() }),
  ),
  'blocks.list': rpc(z.object({ userId: uuid, cursor, limit }), page(block)),
  /** Answered when the gateways' copy in Redis says so, else `unavailable`; so is `blocks.delete`. */
  'blocks.put': ordered(
    z.object({ userId: uuid, blockedId: uuid }),
    z.object({ block, added: z.boolean() }),
  ),
  'blocks.delete': ordered(
    z.object({ userId: uuid, blockedId: uuid }),
    z.object({ removed: z.boolean() }),
  ),
  /**
   * Whose presence the viewer may see, by `lastSeen` and blocks, in no order. Oneself is among them;
   * unknown users are not.
   */
  'presence.visible': rpc(
    z.object({ viewerId: uuid, userIds: z.array(uuid).max(500) }),
    z.object({ items: z.array(uuid) }),
  ),
  /**
   * The direct conversation of two users, made when absent (`blocked` when the other one blocks the
   * user, `not_allowed` when they admit contacts alone); answered once its creation is in the log, within 2 s, else `unavailable`.
   */
  'conversations.direct': rpc(
    z.object({ userId: uuid, otherId: uuid }),
    z.object({ created: z.boolean(), conversation, routing: conversationRouting }),
  ),
  /** A group, made once per creator and `requestId`. Answered as `conversations.direct`. */
  'conversations.group': rpc(
    groupBody.omit({ kind: true }).extend({ userId: uuid }),
    z.object({ created: z.boolean(), conversation }),
  ),
  /**
   * Changes of a conversation by one of its members; answered once they are in the log, else
   * `unavailable`. Repeating one changes nothing.
   */
  'conversations.change': ordered(
    z.object({
      userId: uuid,
      conversationId,
      title: z.string().optional(),
      messageTtlSeconds: z.number().int().nullable().optional(),
    }),
    changedConversation,
  ),
  'members.list': rpc(z.object({ userId: uuid, conversationId, cursor, limit }), page(member)),
  'members.add': ordered(
    z.object({ userId: uuid, conversationId, memberIds: z.array(uuid) }),
    changedConversation,
  ),
  'members.remove': ordered(z.object({ userId: uuid, conversationId, memberId: uuid }), empty),
  'members.role': ordered(
    z.object({ userId: uuid, conversationId, memberId: uuid, role: memberRole }),
    changedConversation,
  ),
  'conversations.list': rpc(z.object({ userId: uuid, cursor, limit }), page(conversation)),
  'conversations.get': rpc(z.object({ userId: uuid, conversationId }), conversation),
  /**
   * Routing data; unknown conversations are left out. `below` (session): `lastPosition` is the last
   * entry under this position; `applied` tells up to which offset storage has applied each
   * partition, in the same snapshot.
   */
  'conversations.routing': rpc(
    z.object({
      conversations: z.array(z.object({ conversationId, below: position.optional() })).max(1000),
    }),
    z.object({ items: z.array(conversationRouting), applied: z.array(z.string()) }),
  ),
  /** Watermarks of the present members, by user id, as far as the asking member may see. */
  'receipts.list': rpc(z.object({ userId: uuid, conversationId, cursor, limit }), page(receipt)),
  /**
   * For session: members' marks raised to what their records say, and who is to be told. Null for
   * one who is no present member. A `read` is kept before it is answered, so that whoever connects behind
   * its push finds it in their sync. `at`: Unix milliseconds of the record.
   */
  'receipts.view': rpc(
    z.object({
      items: z
        .array(receipt.extend({ conversationId, at: z.number().int().nonnegative().optional() }))
        .max(1000),
    }),
    z.object({ items: z.array(receiptView.nullable()) }),
  ),
  'messages.history': rpc(
    z.object({
      userId: uuid,
      conversationId,
      before: position.optional(),
      after: position.optional(),
      limit,
      /** Newest page: wait for this read barrier first; answered `delayed` when it is not reached. */
      barrier: barrier.optional(),
    }),
    z.object({ items: z.array(message), more: z.boolean(), delayed: z.boolean().optional() }),
  ),
  /**
   * First appends of message ids; null for an unknown one. With `after`, waits (≤ `waitMs`) until
   * that offset of the conversation's partition is applied; `applied: false` when it was not, then
   * a null says nothing.
   */
  'messages.first': rpc(
    z.object({
      ids: z
        .array(z.object({ conversationId, messageId: uuid, after: z.string().optional() }))
        .max(1000),
      waitMs: z.number().int().min(0).max(2000),
    }),
    z.object({ items: z.array(z.object({ applied: z.boolean(), first: firstAppend.nullable() })) }),
  ),
  /**
   * What a change of a message needs to know. Whoever is no member is told of their own changes, and
   * nothing else. `next`: wait (≤ `waitMs`) until every offset below it is applied in the
   * conversation's partition.
   */
  'messages.get': rpc(
    z.object({
      userId: uuid,
      conversationId,
      messageId: uuid,
      changeId: uuid,
      next: z.string().optional(),
      waitMs: z.number().int().min(0).max(2000).optional(),
    }),
    changeTarget,
  ),
  /**
   * The way of a message of the user's own; null for any other (`no_such_conversation` for
   * outsiders). `next`: as in `messages.get`; without `applied` a null says nothing.
   */
  'messages.trace': rpc(
    z.object({
      userId: uuid,
      conversationId,
      messageId: uuid,
      cursor,
      limit,
      next: z.string().optional(),
      waitMs: z.number().int().min(0).max(2000).optional(),
    }),
    z.object({ trace: storedTrace.nullable(), applied: z.boolean() }),
  ),
  /**
   * Notes an upload before its bytes are kept, so that none are ever left without an owner. It is
   * removed after a day in which no message came to use it.
   */
  'media.create': rpc(mediaRecord.extend({ conversationId, ownerId: uuid }), empty),
  /**
   * A medium that the user may read now: a member, who uploaded it or sees a message that shows it;
   * `media_not_found` otherwise. With `barrier`, after that much of the log has been applied (or 2 s).
   */
  'media.get': rpc(
    z.object({ userId: uuid, mediaId: uuid, barrier: barrier.optional() }),
    readableMedia,
  ),
  /** The facts for a message that is about to show an upload of its sender; keeps it for a day. */
  'media.use': rpc(
    z.object({ userId: uuid, conversationId, mediaId: uuid, kind: mediaKind }),
    mediaFacts,
  ),
  /**
   * The answer of one `sync`, already cut into frames' bodies (the last has `since`): each the JSON text
   * of a `SyncedBody`, which is handed on as it is. A first answer has hundreds of messages.
   */
  sync: {
    ...rpc(
      z.object({ userId: uuid, request: syncRequest, barrier: barrier.nullable() }),
      z.object({ bodies: z.array(z.array(z.instanceof(Uint8Array))), delayed: z.boolean() }),
    ),
    bytes: 'bodies',
  },
  /** Who leads which service. */
  'admin.cluster': rpc(z.object({ by }), cluster.pick({ leaders: true })),
  /** Who has a role, by name. All calls of operators: `forbidden` for everybody else. */
  'admin.roles': rpc(z.object({ by, cursor, limit }), page(adminUser)),
  /** Gives a role, or takes it; the last operator stays (`not_allowed`). */
  'admin.role': ordered(z.object({ by, whom, role, granted: z.boolean() }), acted),
  /** Ends all logins, for good until it is enabled; the last operator stays (`not_allowed`). */
  'admin.disable': ordered(disableBody.extend({ by, whom }), acted),
  'admin.enable': ordered(z.object({ by, whom }), acted),
  'admin.end': ordered(endBody.extend({ by, whom }), acted),
  'admin.sessions': rpc(
    z.object({ by, whom }),
    z.object({ user: adminUser, items: z.array(adminSession) }),
  ),
  /** The log's epoch and the position base of every partition. */
  'log.state': rpc(
    empty,
    z.object({
      epoch: z.number().int(),
      bases: z.array(z.string()),
      /** Next offset that storage will apply, per partition. */
      applied: z.array(z.string()),
    }),
  ),
} as const;

/** Calls that presence answers. */
export const PRESENCE_RPC = {
  'presence.get': rpc(
    z.object({ viewerId: uuid, userIds: z.array(uuid).max(500) }),
    z.object({ items: z.array(presence) }),
  ),
} as const;

export type RpcTable = Record<string, RpcMethod>;
export type RpcInput<T extends RpcTable, K extends keyof T> = z.input<T[K]['input']>;
export type RpcOutput<T extends RpcTable, K extends keyof T> = z.output<T[K]['output']>;
