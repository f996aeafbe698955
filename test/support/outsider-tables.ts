import { isAdminCall } from '@tidings/protocol/admin';
import { CALL_RATES } from '@tidings/protocol/limits';
import { uuidv7 } from 'uuidv7';
import type { NamedIds } from './named-ids';
import type { ProbeCall } from './probe';
import type { Frame } from './test-socket';

const TEXT = { kind: 'text', text: 'let me in' };
const of = (ids: NamedIds): string => `/v1/conversations/${ids.conversationId}`;
const PNG_HEAD = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** A cursor as members are given it. */
const cursorBehind = (userId: string): string =>
  Buffer.from(JSON.stringify([userId])).toString('base64url');

type CallOf = (ids: NamedIds, self: string) => Omit<ProbeCall, 'method'>;

/**
 * Every call that can name something of a conversation, by the name it has in docs/PROTOCOL.md (a
 * note in brackets tells variants apart). `self`: the caller's id.
 */
export const CALLS: Readonly<Record<string, CallOf>> = {
  'GET /v1/conversations/:id': (ids) => ({ path: of(ids) }),
  'PATCH /v1/conversations/:id': (ids) => ({ path: of(ids), body: { title: 'mine' } }),
  'PATCH /v1/conversations/:id (lifetime)': (ids) => ({
    path: of(ids),
    body: { messageTtlSeconds: 60 },
  }),
  'GET /v1/conversations/:id/members': (ids) => ({ path: `${of(ids)}/members` }),
  'GET /v1/conversations/:id/members (page)': (ids) => ({ path: `${of(ids)}/members?limit=1` }),
  'GET /v1/conversations/:id/members (cursor)': (ids) => ({
    path: `${of(ids)}/members?cursor=${cursorBehind(ids.userId)}`,
  }),
  'POST /v1/conversations/:id/members': (ids, self) => ({
    path: `${of(ids)}/members`,
    body: { userIds: [self] },
  }),
  'POST /v1/conversations/:id/members (others)': (ids) => ({
    path: `${of(ids)}/members`,
    body: { userIds: [ids.userId] },
  }),
  'PATCH /v1/conversations/:id/members/:userId': (ids) => ({
    path: `${of(ids)}/members/${ids.userId}`,
    body: { role: 'member' },
  }),
  'PATCH /v1/conversations/:id/members/:userId (oneself)': (ids, self) => ({
    path: `${of(ids)}/members/${self}`,
    body: { role: 'owner' },
  }),
  'DELETE /v1/conversations/:id/members/:userId': (ids) => ({
    path: `${of(ids)}/members/${ids.userId}`,
  }),
  'DELETE /v1/conversations/:id/members/:userId (oneself)': (ids, self) => ({
    path: `${of(ids)}/members/${self}`,
  }),
  'GET /v1/conversations/:id/messages': (ids) => ({ path: `${of(ids)}/messages` }),
  'GET /v1/conversations/:id/messages (before)': (ids) => ({
    path: `${of(ids)}/messages?before=${ids.position}&limit=200`,
  }),
  'GET /v1/conversations/:id/messages (after)': (ids) => ({
    path: `${of(ids)}/messages?after=${ids.position}`,
  }),
  'PUT /v1/conversations/:id/messages/:messageId': (ids) => ({
    path: `${of(ids)}/messages/${ids.messageId}`,
    body: { content: TEXT },
  }),
  'PUT /v1/conversations/:id/messages/:messageId (image)': (ids) => ({
    path: `${of(ids)}/messages/${uuidv7()}`,
    body: { content: { kind: 'image', mediaId: ids.mediaId }, replyTo: ids.messageId },
  }),
  'GET /v1/conversations/:id/messages/:messageId/trace': (ids) => ({
    path: `${of(ids)}/messages/${ids.messageId}/trace`,
  }),
  'GET /v1/conversations/:id/receipts': (ids) => ({ path: `${of(ids)}/receipts` }),
  'GET /v1/conversations/:id/receipts (cursor)': (ids) => ({
    path: `${of(ids)}/receipts?cursor=${cursorBehind(ids.userId)}`,
  }),
  'PUT /v1/conversations/:id/receipts': (ids) => ({
    path: `${of(ids)}/receipts`,
    body: { read: ids.position, delivered: ids.position },
  }),
  'POST /v1/sync': (ids) => ({
    path: '/v1/sync',
    body: { conversations: [{ conversationId: ids.conversationId, position: '0' }] },
  }),
  'POST /v1/sync (digest)': (ids) => ({
    path: '/v1/sync',
    body: {
      conversations: [
        { conversationId: ids.conversationId, position: ids.position, digest: 'A'.repeat(43) },
      ],
    },
  }),
  'POST /v1/media': (ids) => ({
    path: '/v1/media',
    body: PNG_HEAD,
    headers: { 'content-type': 'image/png', 'x-conversation-id': ids.conversationId },
  }),
  'GET /v1/media/:id': (ids) => ({ path: `/v1/media/${ids.mediaId}` }),
  'GET /v1/media/:id (range)': (ids) => ({
    path: `/v1/media/${ids.mediaId}`,
    headers: { range: 'bytes=0-3' },
  }),
  'GET /v1/media/:id (known)': (ids) => ({
    path: `/v1/media/${ids.mediaId}`,
    headers: { 'if-none-match': '*' },
  }),
  'HEAD /v1/media/:id': (ids) => ({ path: `/v1/media/${ids.mediaId}` }),
  'GET /v1/media/:id/thumbnail': (ids) => ({ path: `/v1/media/${ids.mediaId}/thumbnail` }),
  'GET /v1/media/:id/url': (ids) => ({ path: `/v1/media/${ids.mediaId}/url` }),
  'DELETE /v1/me/devices/:id': (ids) => ({ path: `/v1/me/devices/${ids.deviceId}` }),
};

/** Documented calls that name nothing of a conversation, or only users, who are public. */
export const CALLS_APART: readonly string[] = [
  'GET /v1',
  'POST /v1/users',
  'GET /v1/users',
  'GET /v1/users/:id',
  'POST /v1/auth/login',
  'POST /v1/auth/refresh',
  'POST /v1/auth/logout',
  'GET /v1/me',
  'PATCH /v1/me',
  'POST /v1/me/password',
  'GET /v1/me/devices',
  'GET /v1/contacts',
  'GET /v1/contacts/incoming',
  'PUT /v1/contacts/:userId',
  'DELETE /v1/contacts/:userId',
  'GET /v1/blocks',
  'PUT /v1/blocks/:userId',
  'DELETE /v1/blocks/:userId',
  'POST /v1/connections',
  'POST /v1/conversations',
  'GET /v1/conversations',
  // taken with a ticket, and with a signature, alone
  'GET /v1/ws',
  'GET /v1/media/:id/signed',
  'GET /v1/presence',
  // for who has the role
  'POST /v1/broadcasts',
  'GET /v1/broadcasts/:id',
  'DELETE /v1/broadcasts/:id',
  // what operators do, on a listener of their own
  ...Object.keys(CALL_RATES).filter(isAdminCall),
  'GET /health/live',
  'GET /health/ready',
  'GET /metrics',
];

/** Every frame that can name something of a conversation; the types are checked to be all. */
export const FRAMES: Readonly<Record<string, (ids: NamedIds) => Frame>> = {
  send: ({ conversationId, messageId }) => ({
    type: 'send',
    messageId,
    conversationId,
    content: TEXT,
  }),
  'send (again)': ({ conversationId, messageId }) => ({
    type: 'send',
    messageId,
    conversationId,
    content: TEXT,
    retry: true,
  }),
  'send (image)': ({ conversationId, mediaId, messageId }) => ({
    type: 'send',
    messageId: uuidv7(),
    conversationId,
    replyTo: messageId,
    content: { kind: 'image', mediaId },
  }),
  'send (file)': ({ conversationId, mediaId }) => ({
    type: 'send',
    messageId: uuidv7(),
    conversationId,
    content: { kind: 'file', mediaId, name: 'x' },
  }),
  edit: ({ conversationId, messageId, changeId }) => ({
    type: 'edit',
    changeId,
    messageId,
    conversationId,
    content: TEXT,
  }),
  'edit (new change)': ({ conversationId, messageId }) => ({
    type: 'edit',
    changeId: uuidv7(),
    messageId,
    conversationId,
    content: TEXT,
  }),
  'edit (change alone)': ({ conversationId, changeId }) => ({
    type: 'edit',
    changeId,
    messageId: uuidv7(),
    conversationId,
    content: TEXT,
  }),
  delete: ({ conversationId, messageId, changeId }) => ({
    type: 'delete',
    changeId,
    messageId,
    conversationId,
  }),
  'delete (new change)': ({ conversationId, messageId }) => ({
    type: 'delete',
    changeId: uuidv7(),
    messageId,
    conversationId,
  }),
  received: ({ conversationId, position }) => ({ type: 'received', conversationId, position }),
  read: ({ conversationId, position }) => ({ type: 'read', conversationId, position }),
  'read (beyond)': ({ conversationId }) => ({
    type: 'read',
    conversationId,
    position: '9223372036854775807',
  }),
  typing: ({ conversationId }) => ({ type: 'typing', conversationId, active: true }),
  sync: ({ conversationId, position }) => ({
    type: 'sync',
    ref: 'probe',
    conversations: [{ conversationId, position }],
  }),
  'sync (from the beginning)': ({ conversationId }) => ({
    type: 'sync',
    ref: 'probe',
    conversations: [{ conversationId, position: '0' }],
  }),
};

/** Client frames that name nothing of a conversation. */
export const FRAMES_APART: readonly string[] = ['ping', 'watch', 'activity', 'state'];

/** A key of the tables without its note. */
export function withoutNote(key: string): string {
  return key.replace(/ \(.*\)$/, '');
}
