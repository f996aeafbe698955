/** Sizes and rates that clients may rely on; sent in `welcome.limits` and `GET /v1`. Bytes are UTF-8. */
export const LIMITS = {
  textBytes: 16_384,
  titleBytes: 256,
  clientFrameBytes: 64 * 1024,
  serverFrameBytes: 256 * 1024,
  refChars: 64,
  /** JSON text of `meta`, and of the `data` of a custom content. */
  metaBytes: 2048,
  customBytes: 16_384,
  /** Levels of arrays and objects in either. */
  jsonDepth: 16,
  mentions: 50,
  imageBytes: 10 * 1024 * 1024,
  imagePixels: 40_000_000,
  fileBytes: 50 * 1024 * 1024,
  fileNameChars: 255,
  groupMembers: 1_000,
  membersInline: 32,
  watch: 500,
  sendsPerSecond: 20,
  sendBurst: 60,
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
  /** `since` of a `sync`: the continuation of a large answer is the longest. */
  sinceChars: 16 * 1024,
  ttlMinSeconds: 10,
  ttlMaxSeconds: 365 * 24 * 3600,
  usernameMinChars: 3,
  usernameMaxChars: 32,
  passwordMinChars: 8,
  passwordMaxBytes: 1024,
  nameChars: 64,
  emailChars: 254,
  queryChars: 64,
} as const;

/** Timings of the protocol, in seconds. */
export const TIMINGS = {
  heartbeatSeconds: 25,
  ticketSeconds: 30,
  /** How long a `resumeTicket` outlives its route. */
  resumeSeconds: 120,
  accessTokenSeconds: 15 * 60,
  refreshTokenSeconds: 60 * 24 * 3600,
  backoffBaseMs: 250,
  backoffMaxMs: 30_000,
  /** Longest life of a signed media URL. */
  mediaUrlSeconds: 5 * 60,
} as const;
