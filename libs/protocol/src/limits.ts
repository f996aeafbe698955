/**
 * What a rate is counted per: a user with all devices, one device, one socket, or an IP address.
 */
type RateScope = 'user' | 'device' | 'connection' | 'address';

/** How often something may be done: a burst at once, and so many more each minute. */
export interface Rate {
  per: RateScope;
  /** 0: no limit. */
  perMinute: number;
  burst: number;
  /**
   * The part of the burst that a gateway grants without asking the others, so that an ordinary
   * message costs no round trip. Every further gateway on which the same user is busy adds this
   * much again.
   */
  own?: { perMinute: number; burst: number };
}

/**
 * Every rate, in one place. What counts towards which is in {@link FRAME_RATES} and {@link
 * CALL_RATES}. The values are chosen so that a lively person or an ordinary bot never meets them,
 * while a flood of pushes to others ends after a few dozen.
 */
export const RATES = {
  /**
   * Frames of every kind, including pings. Above it the socket is closed (4029) instead of refusing
   * the frame.
   */
  frame: { per: 'connection', perMinute: 6_000, burst: 300 },
  /** A person sends a message a second for a while; a bot answers several at once. */
  send: { per: 'user', perMinute: 1_200, burst: 60, own: { perMinute: 120, burst: 10 } },
  /**
   * Clients coalesce marks for 200 ms or more: five turns a second with nine conversations each.
   */
  receipt: { per: 'device', perMinute: 3_000, burst: 200, own: { perMinute: 600, burst: 40 } },
  /** Two starts a second, each with its end. */
  typing: { per: 'device', perMinute: 240, burst: 12, own: { perMinute: 60, burst: 6 } },
  /** `activity` and `state`. Of too many the last one counts, a moment later. */
  activity: { per: 'device', perMinute: 120, burst: 20, own: { perMinute: 60, burst: 10 } },
  /**
   * A list that is scrolled: one frame a second. Each asks for the presence of everybody it names.
   */
  watch: { per: 'device', perMinute: 60, burst: 20 },
  /** A device that was offline for long asks for one answer of 500 messages after another. */
  sync: { per: 'device', perMinute: 600, burst: 100 },
  /**
   * A connect takes two: one for the ticket, one for the socket. Allows for a network that comes
   * and goes.
   */
  connect: { per: 'device', perMinute: 60, burst: 40 },
  /** A starting client refreshes once. A refresh that comes too soon is delayed, never refused. */
  refresh: { per: 'device', perMinute: 20, burst: 10 },
  /** Each one shows up for its members. */
  createConversation: { per: 'user', perMinute: 20, burst: 30 },
  /** Each one adds an entry that all members receive. */
  changeConversation: { per: 'user', perMinute: 60, burst: 40 },
  /** Counts people, not calls: the largest group can be filled in one go. */
  invite: { per: 'user', perMinute: 300, burst: 1_000 },
  /** Each one shows up for the other user. */
  contact: { per: 'user', perMinute: 30, burst: 40 },
  block: { per: 'user', perMinute: 30, burst: 40 },
  /** Per device: whoever stole one cannot keep the owner from logging it out. */
  changeAccount: { per: 'device', perMinute: 20, burst: 20 },
  /** A search while the name is being typed. */
  search: { per: 'user', perMinute: 120, burst: 60 },
  /**
   * Searches for whole e-mail addresses: enough for an address book now and then, too few to try
   * out lists.
   */
  findByEmail: { per: 'user', perMinute: 20, burst: 20 },
  /** Lists and single objects; a starting client asks for many at once. */
  read: { per: 'user', perMinute: 600, burst: 300 },
  /** A trace asks Kafka. */
  trace: { per: 'user', perMinute: 60, burst: 30 },
  /** An album at once. Bytes and the work of decoding have limits of their own. */
  upload: { per: 'user', perMinute: 30, burst: 40 },
  /**
   * Megapixels of uploaded images, each image at least one: so many are decoded and encoded anew,
   * which is what the work costs. Twenty photographs of a telephone at once.
   */
  pixels: { per: 'user', perMinute: 240, burst: 240 },
  /** A screen full of thumbnails, and the next one. */
  download: { per: 'user', perMinute: 1_200, burst: 300 },
  /** What operators do, on a listener of their own. */
  administer: { per: 'user', perMinute: 120, burst: 60 },
  /** Every call: per device if it has one of our tokens, otherwise per address. */
  request: { per: 'address', perMinute: 600, burst: 600 },
  /** Calls that could be used to guess passwords. Only refreshes that fail are counted. */
  auth: { per: 'address', perMinute: 30, burst: 30 },
} as const satisfies Record<string, Rate>;
export type RateName = keyof typeof RATES;

/** The rates per user or device, which all gateways share. */
export type UserRateName = {
  [N in RateName]: (typeof RATES)[N]['per'] extends 'user' | 'device' ? N : never;
}[RateName];

/** The rates of a server, by name. */
export type Rates = Readonly<Record<RateName, Rate>>;

/** The rate that each client frame counts towards, besides `frame`. */
export const FRAME_RATES = {
  send: 'send',
  edit: 'send',
  delete: 'send',
  received: 'receipt',
  read: 'receipt',
  typing: 'typing',
  activity: 'activity',
  state: 'activity',
  watch: 'watch',
  sync: 'sync',
  ping: null,
} as const satisfies Record<string, UserRateName | null>;

/**
 * The rates that each call counts towards, besides `request`: all that are named, in this order.
 * `invite` counts the people in `userIds`, `pixels` is taken when an image's header was read. A call that created nothing new gives
 * `createConversation` and `invite` back. `findByEmail` counts only searches for an address, see
 * `isEmailSearch`.
 */
export const CALL_RATES = {
  'GET /v1': [],
  'POST /v1/users': ['auth'],
  'POST /v1/auth/login': ['auth'],
  'POST /v1/auth/refresh': ['auth', 'refresh'],
  'POST /v1/auth/logout': ['changeAccount'],
  'GET /v1/me': ['read'],
  'PATCH /v1/me': ['changeAccount'],
  'POST /v1/me/password': ['auth', 'changeAccount'],
  'GET /v1/me/devices': ['read'],
  'DELETE /v1/me/devices/:id': ['changeAccount'],
  'GET /v1/users': ['search', 'findByEmail'],
  'GET /v1/users/:id': ['read'],
  'GET /v1/contacts': ['read'],
  'GET /v1/contacts/incoming': ['read'],
  'PUT /v1/contacts/:userId': ['contact'],
  'DELETE /v1/contacts/:userId': ['contact'],
  'GET /v1/blocks': ['read'],
  'PUT /v1/blocks/:userId': ['block'],
  'DELETE /v1/blocks/:userId': ['block'],
  'POST /v1/connections': ['connect'],
  'GET /v1/ws': ['connect'],
  'POST /v1/conversations': ['read', 'createConversation', 'invite'],
  'GET /v1/conversations': ['read'],
  'GET /v1/conversations/:id': ['read'],
  'PATCH /v1/conversations/:id': ['changeConversation'],
  'GET /v1/conversations/:id/members': ['read'],
  'POST /v1/conversations/:id/members': ['changeConversation', 'invite'],
  'PATCH /v1/conversations/:id/members/:userId': ['changeConversation'],
  'DELETE /v1/conversations/:id/members/:userId': ['changeConversation'],
  'GET /v1/conversations/:id/messages': ['read'],
  'PUT /v1/conversations/:id/messages/:messageId': ['send'],
  'GET /v1/conversations/:id/messages/:messageId/trace': ['trace'],
  'GET /v1/conversations/:id/receipts': ['read'],
  'PUT /v1/conversations/:id/receipts': ['receipt'],
  'POST /v1/broadcasts': ['send'],
  'GET /v1/broadcasts/:id': ['read'],
  'DELETE /v1/broadcasts/:id': ['send'],
  'POST /v1/sync': ['sync'],
  'GET /v1/presence': ['read'],
  'POST /v1/media': ['upload', 'pixels'],
  'GET /v1/media/:id': ['download'],
  'GET /v1/media/:id/thumbnail': ['download'],
  'GET /v1/media/:id/url': ['download'],
  'GET /v1/media/:id/signed': [],
  'GET /v1/admin/roles': ['administer'],
  'PUT /v1/admin/users/:id/roles/:role': ['administer'],
  'DELETE /v1/admin/users/:id/roles/:role': ['administer'],
  'POST /v1/admin/users/:id/disable': ['administer'],
  'POST /v1/admin/users/:id/enable': ['administer'],
  'POST /v1/admin/users/:id/end': ['administer'],
  'GET /v1/admin/users/:id/sessions': ['administer'],
  'GET /v1/cluster': ['administer'],
} as const satisfies Record<string, readonly RateName[]>;

/** Of a megapixel. */
const PIXELS = 1_000_000;

/**
 * Sizes and numbers that clients may rely on, sent in `welcome.limits` and `GET /v1` next to
 * `rates`. Bytes are UTF-8.
 */
export const LIMITS = {
  textBytes: 16_384,
  titleBytes: 256,
  clientFrameBytes: 64 * 1024,
  serverFrameBytes: 256 * 1024,
  /** JSON text of one HTTP answer. A longer list ends early and says so. */
  answerBytes: 256 * 1024,
  refChars: 64,
  /** JSON text of `meta`, or of the `data` of a custom content. */
  metaBytes: 2048,
  customBytes: 16_384,
  /** How deeply arrays and objects may be nested in either. */
  jsonDepth: 16,
  mentions: 50,
  imageBytes: 10 * 1024 * 1024,
  imagePixels: 40_000_000,
  fileBytes: 50 * 1024 * 1024,
  fileNameChars: 255,
  /** An upload that brings fewer bytes in any ten seconds is aborted. */
  uploadBytesPerSecond: 16 * 1024,
  /** The rate `pixels`, in pixels. */
  imagePixelsBurst: RATES.pixels.burst * PIXELS,
  imagePixelsPerMinute: RATES.pixels.perMinute * PIXELS,
  groupMembers: 1_000,
  membersInline: 32,
  sendsPerSecond: RATES.send.perMinute / 60,
  sendBurst: RATES.send.burst,
  unansweredSends: 100,
  devicesPerUser: 10,
  pageItems: 100,
  historyItems: 200,
  syncMessages: 500,
  syncNewestPerConversation: 100,
  syncFirstPerConversation: 10,
  syncFirstConversations: 50,
  /** How many conversations a client may list in one `sync`. */
  syncListed: 500,
  /** `since` of a `sync`; the longest is the continuation of a large answer. */
  sinceChars: 16 * 1024,
  /** How many users a socket can watch. */
  watch: 500,
  ttlMinSeconds: 10,
  ttlMaxSeconds: 365 * 24 * 3600,
  usernameMinChars: 3,
  usernameMaxChars: 32,
  passwordMinChars: 8,
  passwordMaxBytes: 1024,
  nameChars: 64,
  emailChars: 254,
  queryChars: 64,
  /**
   * How many code points (of the normalized form) a search for users must have; see `users` in `GET
   * /v1`.
   */
  userQueryMinChars: 2,
} as const;

/** Limits and rates as clients are told about them. A rate that is switched off is not named. */
export function announcedLimits(rates: Rates) {
  const { send, pixels } = rates;
  const named = Object.entries(rates).filter(([, { perMinute }]) => perMinute > 0);
  return {
    limits: {
      ...LIMITS,
      sendsPerSecond: send.perMinute / 60,
      sendBurst: send.burst,
      imagePixelsBurst: pixels.burst * PIXELS,
      imagePixelsPerMinute: pixels.perMinute * PIXELS,
    },
    rates: Object.fromEntries(
      named.map(([name, { per, burst, perMinute }]) => [name, { per, burst, perMinute }]),
    ),
  };
}

/** Timings of the protocol, in seconds. */
export const TIMINGS = {
  heartbeatSeconds: 25,
  ticketSeconds: 30,
  accessTokenSeconds: 15 * 60,
  refreshTokenSeconds: 60 * 24 * 3600,
  backoffBaseMs: 250,
  backoffMaxMs: 30_000,
  /** Longest lifetime of a signed media URL. */
  mediaUrlSeconds: 5 * 60,
} as const;
