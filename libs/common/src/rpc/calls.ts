import { z } from 'zod';
import {
  adminSession,
  adminUser,
  cluster,
  disableBody,
  endBody,
  role,
} from '@tidings/protocol/admin';
import { broadcast, broadcastBody } from '@tidings/protocol/broadcasts';
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
 * also ask the next instance when one shows no sign of life within 300 ms.
 */
export interface RpcMethod<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  input: I;
  output: O;
  /**
   * The output field that is a list of byte strings, each in pieces. They travel next to the JSON,
   * unencoded.
   */
  bytes?: string;
  /**
   * A later call may reverse what this one sets; a copy that a hung instance carries out when it
   * wakes up would undo that. So only one instance at a time is asked, and the call is not carried
   * out for a caller that has gone.
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

/**
 * Next offset per partition of `chat.messages.v1`, as decimal strings; null: unknown at the moment.
 */
const barrier = z.array(z.string().nullable());
export type Barrier = z.infer<typeof barrier>;

/** One member's interval of positions (from, until]. `until` null: still a member. */
const interval = z.object({ userId: uuid, from: position, until: position.nullable() });
export type Interval = z.infer<typeof interval>;

/** What routing and admission need to know about a conversation. */
export const conversationRouting = z.object({
  conversationId,
  kind: conversationKind,
  version: z.number().int(),
  members: z.array(interval),
  /**
   * Some changes of members have no position yet: a member being removed is already missing from
   * `members`, one being added is not in it yet.
   */
  pending: z.boolean().optional(),
  messageTtlSeconds: z.number().int().optional(),
  /** Direct only: the members who may not send, because the other one blocks them. */
  blocked: z.array(uuid).optional(),
  /** Rises whenever `blocked` may have changed; orders data with the same `version`. */
  blocksVersion: z.number().int().optional(),
  /** Position of the last entry that storage has applied (with `below`: below it); "0": none. */
  lastPosition: position,
});
export type ConversationRouting = z.infer<typeof conversationRouting>;

/** The login of one device. A token is valid while its generation equals the device's. */
const deviceLogin = z.object({ userId: uuid, deviceId: uuid, generation: z.number() });
export type DeviceLogin = z.infer<typeof deviceLogin>;

/** The client's network address, for the security log. */
const address = z.string().max(200).optional();
/** Identifies one guess of a password, whichever instances are asked. Absent: every call counts. */
const guessId = uuid.optional();

/** `sequence` counts the refreshes of a device's login; access tokens carry it. */
const grant = deviceLogin.extend({ refreshToken: z.string(), sequence: z.number().int() });
const login = grant.extend({ user });

/** Why a device's login has ended. */
export const loginEnd = z.enum(['logged_out', 'replaced', 'disabled']);
export type LoginEnd = z.infer<typeof loginEnd>;

/**
 * Who acts as an operator: a user, who must be one, or (null) whoever holds the cluster's secret.
 * `origin`: an address, or the name of the command and its machine.
 */
const by = z.object({ actor: uuid.nullable(), origin: z.string().max(200) });
export type ActsBy = z.infer<typeof by>;
/** Who writes to everybody. */
const broadcaster = z.object({ userId: uuid, deviceId: uuid, origin: z.string().max(200) });
/** Whom it is about. */
const whom = z.union([z.object({ userId: uuid }), z.object({ username: z.string().max(256) })]);
export type Whom = z.infer<typeof whom>;
/** The account after the act, and whether the act has changed anything. */
const acted = z.object({ user: adminUser, changed: z.boolean() });

const firstAppend = z.object({
  position,
  senderId: uuid,
  contentHash: contentHash.nullable(),
  sentAt: z.string(),
  /** When it expires, which may be in the past; null: never. */
  expiresAt: z.string().nullable(),
});
export type FirstAppend = z.infer<typeof firstAppend>;

/** A message before a change, the user who requests it, and what is known about the change's id. */
const changeTarget = z.object({
  /**
   * Null: it does not exist, has expired or is not visible to the user. If only the `change` is the
   * user's, who has left: the parts that never change, as if it were deleted.
   */
  message: message.nullable(),
  /** Whether the user sees the message now. */
  visible: z.boolean(),
  /** Null: not a member, or there is no such conversation. */
  role: z.enum(['owner', 'admin', 'member']).nullable(),
  /** The first change with this id. `hash` null: its message was deleted since. */
  change: z
    .object({ position, messageId: uuid, userId: uuid, hash: contentHash.nullable() })
    .nullable(),
  /**
   * For the entry that the change's answer names (the change, or the deletion): the preceding one.
   */
  previous: position.nullable(),
  /** Storage has applied everything up to `next`. */
  applied: z.boolean(),
});
export type ChangeTarget = z.infer<typeof changeTarget>;

/** What session pushes about one member's marks. */
const receiptView = z.object({
  /** The other present members, and whether each may see `read`. Empty: too many to tell. */
  others: z.array(z.object({ userId: uuid, seesRead: z.boolean() })),
  delivered: position,
  read: position,
  /**
   * `delivered` as it was stored. It says whether there is news for those who may not see `read`.
   */
  deliveredBefore: position,
  /** Messages of others in (`read`, `upTo`]; absent when `read` was not asked about. */
  unread: z.number().int().optional(),
  upTo: position.optional(),
});
export type ReceiptView = z.infer<typeof receiptView>;

const mediaKind = z.enum(['image', 'file']);

/** What is known about an upload. `width` and `height` (pixels as shown) are for images. */
const mediaFacts = z.object({
  kind: mediaKind,
  type: z.string().max(127),
  size: z.number().int().nonnegative(),
  width: z.number().int().positive().optional(),
  height: z.number().int().positive().optional(),
});
export type MediaFacts = z.infer<typeof mediaFacts>;

/** An upload that the user may read. `etag` identifies its bytes. */
const mediaRecord = mediaFacts.extend({ mediaId: uuid, etag: z.string() });
export type MediaRecord = z.infer<typeof mediaRecord>;

/**
 * `expiresAt`: when the last message that shows it to the reader expires; absent: one of them never
 * does.
 */
const readableMedia = mediaRecord.extend({ expiresAt: z.string().optional() });
export type ReadableMedia = z.infer<typeof readableMedia>;

/** Calls that storage answers. */
export const STORAGE_RPC = {
  /** The caller chooses `userId`, so a repeated call finds its own account and succeeds. */
  'accounts.register': rpc(registerBody.extend({ userId: uuid, address }), user),
  /** A late copy would end the tokens that the device was given, or find it already logged in. */
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
  /**
   * After the first use of the new pair, a late copy looks like the re-use of a stolen token, which
   * ends the login.
   */
  'accounts.refresh': ordered(z.object({ refreshToken: z.string(), address }), grant),
  /**
   * A token of this refresh was used for the first time: the previous refresh token ends, and
   * re-using it revokes the family from now on.
   */
  'accounts.confirm': rpc(
    z.object({ userId: uuid, deviceId: uuid, sequence: z.number().int() }),
    empty,
  ),
  'accounts.logout': ordered(z.object({ userId: uuid, deviceId: uuid }), empty),
  /** Generation of a device's login; `not_found` when it is logged out or unknown. */
  'accounts.session': rpc(z.object({ userId: uuid, deviceId: uuid }), deviceLogin),
  /** Why a device no longer has a login; `logged_out` when that is unknown. */
  'accounts.ended': rpc(z.object({ userId: uuid, deviceId: uuid }), z.object({ reason: loginEnd })),
  /**
   * Devices that gave a sign of life recently, this many milliseconds ago. Stored for those that
   * are logged in.
   */
  'accounts.alive': rpc(
    z.object({
      items: z
        .array(z.object({ userId: uuid, deviceId: uuid, agoMs: z.number().int().nonnegative() }))
        .max(1000),
    }),
    empty,
  ),
  /** The users among these who are disabled. */
  'accounts.disabled': rpc(
    z.object({ userIds: z.array(uuid).max(1000) }),
    z.object({ items: z.array(uuid) }),
  ),
  'accounts.me': rpc(z.object({ userId: uuid }), me),
  /**
   * Changes the password and ends the logins of all devices except the calling one. Returns the
   * logins that this call ended. A repetition, whose `next` is the password already, succeeds.
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
  /**
   * Logs out one of the user's devices. Returns its login as it is now. `by`: the requesting
   * device.
   */
  'devices.remove': ordered(
    z.object({ userId: uuid, deviceId: uuid, by: uuid, address }),
    deviceLogin,
  ),
  'accounts.patch': ordered(patchMeBody.extend({ userId: uuid }), me),
  'users.get': rpc(z.object({ ids: z.array(uuid) }), z.object({ items: z.array(user) })),
  /**
   * `listing`: a query that is too short, or absent, finds everybody; otherwise it is
   * `invalid_request`.
   */
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
  /**
   * The user who has this e-mail address, if they can be found by it. Otherwise nobody, whatever
   * the reason.
   */
  'users.byEmail': rpc(z.object({ email: z.string() }), z.object({ items: z.array(user) })),
  'contacts.list': rpc(z.object({ userId: uuid, cursor, limit }), page(contact)),
  'contacts.incoming': rpc(z.object({ userId: uuid, cursor, limit }), page(user)),
  /** `added`: it was not there before. `unseen`: a block forbids telling the contact about it. */
  'contacts.put': ordered(
    z.object({ userId: uuid, contactId: uuid }),
    contact.extend({ added: z.boolean(), unseen: z.boolean() }),
  ),
  /** `mutual`: the other one still has the user as a contact. `unseen`: as above. */
  'contacts.delete': ordered(
    z.object({ userId: uuid, contactId: uuid }),
    z.object({ removed: z.boolean(), mutual: z.boolean(), unseen: z.boolean() }),
  ),
  'blocks.list': rpc(z.object({ userId: uuid, cursor, limit }), page(block)),
  /**
   * Answered once the gateways' copy in Redis says so, otherwise `unavailable`. The same for
   * `blocks.delete`.
   */
  'blocks.put': ordered(
    z.object({ userId: uuid, blockedId: uuid }),
    z.object({ block, added: z.boolean() }),
  ),
  'blocks.delete': ordered(
    z.object({ userId: uuid, blockedId: uuid }),
    z.object({ removed: z.boolean() }),
  ),
  /**
   * Whose presence the viewer may see, by `lastSeen` and blocks, in no order. Includes the viewer;
   * unknown users are left out.
   */
  'presence.visible': rpc(
    z.object({ viewerId: uuid, userIds: z.array(uuid).max(500) }),
    z.object({ items: z.array(uuid) }),
  ),
  /**
   * The direct conversation of two users; created when there is none. `blocked`: the other one
   * blocks the user. `not_allowed`: they admit only contacts. Answered once its creation is in the
   * log, within 2 s, otherwise `unavailable`.
   */
  'conversations.direct': rpc(
    z.object({ userId: uuid, otherId: uuid }),
    z.object({ created: z.boolean(), conversation, routing: conversationRouting }),
  ),
  /** A group, created once per creator and `requestId`. Answered like `conversations.direct`. */
  'conversations.group': rpc(
    groupBody.omit({ kind: true }).extend({ userId: uuid }),
    z.object({ created: z.boolean(), conversation }),
  ),
  /**
   * Changes of a conversation by one of its members. Answered once they are in the log, otherwise
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
   * entry below this position; `applied` says up to which offset storage has applied each
   * partition, in the same snapshot.
   */
  'conversations.routing': rpc(
    z.object({
      conversations: z.array(z.object({ conversationId, below: position.optional() })).max(1000),
    }),
    z.object({ items: z.array(conversationRouting), applied: z.array(z.string()) }),
  ),
  /**
   * Watermarks of the present members, by user id, as far as the requesting member may see them.
   */
  'receipts.list': rpc(z.object({ userId: uuid, conversationId, cursor, limit }), page(receipt)),
  /**
   * For session: members' marks, raised to what their records say, and who is to be told. Null for
   * a user who is not a present member. A `read` is stored before it is answered, so that anybody
   * who connects after its push finds it in their sync. `at`: Unix milliseconds of the record.
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
      /** Newest page: wait for this read barrier first; answered `delayed` if it is not reached. */
      barrier: barrier.optional(),
    }),
    z.object({ items: z.array(message), more: z.boolean(), delayed: z.boolean().optional() }),
  ),
  /**
   * First appends of message ids; null for an unknown one. With `after`, waits (≤ `waitMs`) until
   * that offset of the conversation's partition is applied. `applied: false`: it was not, and a
   * null says nothing.
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
   * What a change of a message needs to know. Users who are not members learn only about their own
   * changes. `next`: wait (≤ `waitMs`) until every offset below it is applied in the conversation's
   * partition.
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
   * The path of one of the user's own messages; null for any other (`no_such_conversation` for
   * outsiders). `next`: as in `messages.get`. Without `applied` a null says nothing.
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
   * Notes an upload before its bytes are stored, so that there are never bytes without an owner. It
   * is removed after a day in which no message has used it.
   */
  'media.create': rpc(mediaRecord.extend({ conversationId, ownerId: uuid }), empty),
  /**
   * A medium that the user may read now: a member who uploaded it, or who sees a message that shows
   * it; otherwise `media_not_found`. With `barrier`, after that much of the log has been applied
   * (or 2 s).
   */
  'media.get': rpc(
    z.object({ userId: uuid, mediaId: uuid, barrier: barrier.optional() }),
    readableMedia,
  ),
  /** The facts for a message that will show an upload of its sender. Keeps the upload for a day. */
  'media.use': rpc(
    z.object({ userId: uuid, conversationId, mediaId: uuid, kind: mediaKind }),
    mediaFacts,
  ),
  /**
   * The answer to one `sync`, already cut into the bodies of its frames (the last one has `since`).
   * Each is the JSON text of a `SyncedBody`, which is handed on unchanged. A first answer has
   * hundreds of messages.
   */
  sync: {
    ...rpc(
      z.object({ userId: uuid, request: syncRequest, barrier: barrier.nullable() }),
      z.object({ bodies: z.array(z.array(z.instanceof(Uint8Array))), delayed: z.boolean() }),
    ),
    bytes: 'bodies',
  },
  /** The leader of each service. */
  'admin.cluster': rpc(z.object({ by }), cluster.pick({ leaders: true })),
  /** The users with a role, by name. For all calls of operators: `forbidden` for everybody else. */
  'admin.roles': rpc(z.object({ by, cursor, limit }), page(adminUser)),
  /** Grants or revokes a role. The last operator remains (`not_allowed`). */
  'admin.role': ordered(z.object({ by, whom, role, granted: z.boolean() }), acted),
  /**
   * Ends all logins until the account is enabled again. The last operator remains (`not_allowed`).
   */
  'admin.disable': ordered(disableBody.extend({ by, whom }), acted),
  'admin.enable': ordered(z.object({ by, whom }), acted),
  'admin.end': ordered(endBody.extend({ by, whom }), acted),
  'admin.sessions': rpc(
    z.object({ by, whom }),
    z.object({ user: adminUser, items: z.array(adminSession) }),
  ),
  /**
   * A message to everybody, once per id; answered when it is in the log, within 2 s, otherwise `queued`. For
   * all calls of broadcasters: `forbidden` for everybody else. `rate_limited`: too many in an hour.
   */
  'broadcasts.create': rpc(broadcastBody.extend({ by: broadcaster }), broadcast),
  'broadcasts.get': rpc(z.object({ by: broadcaster, messageId: uuid }), broadcast),
  /** `done`: it is deleted in the log, or never gets there; otherwise that is on its way. */
  'broadcasts.delete': rpc(
    z.object({ by: broadcaster, messageId: uuid }),
    z.object({ done: z.boolean() }),
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
