import { CALL_RATES, LIMITS } from './limits';

const KIB = 1024;

/**
 * The resources that a call or frame may wait for or find exhausted. Each is bounded, some also per
 * user; what finds no room is refused. The numbers stand where the work is done; `docs/LIMITS.md`
 * lists them.
 */
export type Place =
  | 'calls'
  | 'uploads'
  | 'images'
  | 'downloads'
  | 'hashing'
  | 'turns'
  | 'log'
  | 'sends'
  | 'changes'
  | 'marks'
  | 'typing'
  | 'activity'
  | 'watches'
  | 'syncs'
  | 'traces'
  | 'tickets'
  | 'socket';

/** Bounds of a call, in bytes. */
export interface CallBounds {
  /** The body; 0: there is none that matters. */
  request: number;
  answer: number;
  places: readonly Place[];
}

/** Bodies with a few fields, every character escaped. */
const FIELDS = 32 * KIB;
/** Bodies that may name as many users as a group has members. */
const USERS = 64 * KIB;
/**
 * A message of the largest size with every character escaped, or a `sync` that lists as much as it
 * may.
 */
const CONTENT = 128 * KIB;
/**
 * Total bytes of one answer to `sync`, over HTTP or a socket. Over a socket it is split into
 * frames, each with its own bound.
 */
export const SYNC_ANSWER_BYTES = 2 * KIB * KIB;

const json = (request: number, ...places: Place[]): CallBounds => ({
  request,
  answer: LIMITS.answerBytes,
  places: ['calls', ...places],
});
const open = (request: number, ...places: Place[]): CallBounds => ({
  request,
  answer: LIMITS.answerBytes,
  places,
});
const bytes: CallBounds = { request: 0, answer: LIMITS.fileBytes, places: ['calls', 'downloads'] };

/** How large the body and the answer of each call may be, and what the call waits for. */
export const CALL_BOUNDS = {
  'GET /v1': open(0),
  'POST /v1/users': open(FIELDS, 'hashing'),
  'POST /v1/auth/login': open(FIELDS, 'hashing'),
  'POST /v1/auth/refresh': open(FIELDS),
  'POST /v1/auth/logout': json(FIELDS),
  'GET /v1/me': json(0),
  'PATCH /v1/me': json(FIELDS),
  'POST /v1/me/password': json(FIELDS, 'hashing'),
  'GET /v1/me/devices': json(0),
  'DELETE /v1/me/devices/:id': json(0),
  'GET /v1/users': json(0),
  'GET /v1/users/:id': json(0),
  'GET /v1/contacts': json(0),
  'GET /v1/contacts/incoming': json(0),
  'PUT /v1/contacts/:userId': json(FIELDS),
  'DELETE /v1/contacts/:userId': json(0),
  'GET /v1/blocks': json(0),
  'PUT /v1/blocks/:userId': json(FIELDS),
  'DELETE /v1/blocks/:userId': json(0),
  'POST /v1/connections': json(FIELDS, 'tickets'),
  'GET /v1/ws': open(0, 'tickets', 'socket'),
  'POST /v1/conversations': json(USERS),
  'GET /v1/conversations': json(0),
  'GET /v1/conversations/:id': json(0),
  'PATCH /v1/conversations/:id': json(FIELDS, 'turns'),
  'GET /v1/conversations/:id/members': json(0),
  'POST /v1/conversations/:id/members': json(USERS, 'turns'),
  'PATCH /v1/conversations/:id/members/:userId': json(FIELDS, 'turns'),
  'DELETE /v1/conversations/:id/members/:userId': json(0, 'turns'),
  'GET /v1/conversations/:id/messages': json(0),
  'PUT /v1/conversations/:id/messages/:messageId': json(CONTENT, 'log'),
  'GET /v1/conversations/:id/messages/:messageId/trace': json(0, 'traces'),
  'GET /v1/conversations/:id/receipts': json(0),
  'PUT /v1/conversations/:id/receipts': json(FIELDS, 'marks'),
  'POST /v1/broadcasts': json(CONTENT),
  'GET /v1/broadcasts/:id': json(0),
  'DELETE /v1/broadcasts/:id': json(0),
  'POST /v1/sync': { request: CONTENT, answer: SYNC_ANSWER_BYTES, places: ['calls'] },
  'GET /v1/presence': json(0),
  'POST /v1/media': {
    request: LIMITS.fileBytes,
    answer: LIMITS.answerBytes,
    places: ['calls', 'uploads', 'images'],
  },
  'GET /v1/media/:id': bytes,
  'GET /v1/media/:id/thumbnail': bytes,
  'GET /v1/media/:id/url': json(0),
  'GET /v1/media/:id/signed': { ...bytes, places: ['downloads'] },
  'GET /v1/admin/roles': json(0),
  'PUT /v1/admin/users/:id/roles/:role': json(FIELDS),
  'DELETE /v1/admin/users/:id/roles/:role': json(0),
  'POST /v1/admin/users/:id/disable': json(FIELDS),
  'POST /v1/admin/users/:id/enable': json(FIELDS),
  'POST /v1/admin/users/:id/end': json(FIELDS),
  'GET /v1/admin/users/:id/sessions': json(0),
  'GET /v1/cluster': json(0),
} as const satisfies Record<keyof typeof CALL_RATES, CallBounds>;

/** What each client frame waits for. Every frame has at most `LIMITS.clientFrameBytes`. */
export const FRAME_PLACES = {
  send: ['sends', 'log'],
  edit: ['changes', 'log'],
  delete: ['changes', 'log'],
  received: ['marks'],
  read: ['marks'],
  typing: ['typing'],
  activity: ['activity'],
  state: ['activity'],
  watch: ['watches'],
  sync: ['syncs'],
  ping: [],
} as const satisfies Record<string, readonly Place[]>;

const PATTERNS = Object.entries(CALL_BOUNDS).map(([call, { request }]) => {
  const [method, path] = call.split(' ') as [string, string];
  return { method, path: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}/?$`, 'i'), request };
});

/**
 * How many bytes the body of a request may have. A call that does not exist gets as many as one
 * without a body.
 */
export function bodyLimit(method: string, path: string): number {
  const call = PATTERNS.find((one) => one.method === method && one.path.test(path));
  return call && call.request > 0 ? call.request : FIELDS;
}
