const SYNC = [
  'test/e2e/limits-rates.e2e-spec.ts',
  'a sync has 10 messages of a new conversation, 100 of a known one, and 500 in all',
] as const;

/** Limits whose boundaries other tests show: file and title. */
export const LIMITS_ELSEWHERE: Readonly<Record<string, readonly [file: string, title: string]>> = {
  clientFrameBytes: [
    'test/e2e/bad-input.e2e-spec.ts',
    'closes 1009 on a frame of 64 KiB + 1 and 4504 on a binary one',
  ],
  answerBytes: [
    'test/integration/storage-answer-bounds.spec.ts',
    'a history: each page holds what fits, at least one message, and no page is read in vain',
  ],
  watch: [
    'test/e2e/presence.e2e-spec.ts',
    'takes a list of 500 and refuses one of 501, which changes nothing; a list replaces the one before it, and ends with its socket',
  ],
  uploadBytesPerSecond: [
    'test/e2e/misuse-slots.e2e-spec.ts',
    'eight accounts with four dripping uploads each keep nobody out, and are cut off',
  ],
  imagePixelsBurst: [
    'test/e2e/misuse-slots.e2e-spec.ts',
    'images of many pixels have a budget per user, and others do not wait for them',
  ],
  imagePixelsPerMinute: [
    'test/e2e/misuse-slots.e2e-spec.ts',
    'images of many pixels have a budget per user, and others do not wait for them',
  ],
  serverFrameBytes: [
    'test/integration/storage-sync.spec.ts',
    'fits its frames, and leaves out old messages rather than exceed one',
  ],
  metaBytes: ['test/e2e/changes.e2e-spec.ts', 'keeps its limits at n and n + 1, over both ways'],
  customBytes: ['test/e2e/changes.e2e-spec.ts', 'keeps its limits at n and n + 1, over both ways'],
  mentions: ['test/e2e/changes.e2e-spec.ts', 'keeps its limits at n and n + 1, over both ways'],
  fileBytes: [
    'test/e2e/media/files.ts',
    'are uploaded in JSON without being parsed, and up to 50 MiB as a stream',
  ],
  groupMembers: [
    'test/e2e/groups.e2e-spec.ts',
    'hold a thousand members and no more, and all of them are sent a message',
  ],
  sendsPerSecond: [
    'test/e2e/rates.e2e-spec.ts',
    'a burst of 60 by frames, then one more is refused',
  ],
  sendBurst: ['test/e2e/rates.e2e-spec.ts', 'a burst of 60 by frames, then one more is refused'],
  unansweredSends: ['test/e2e/limits-rates.e2e-spec.ts', '100 sends without an answer'],
  devicesPerUser: ['test/e2e/accounts.e2e-spec.ts', 'keeps the ten newest devices of a user'],
  syncMessages: SYNC,
  syncNewestPerConversation: SYNC,
  syncFirstPerConversation: SYNC,
  syncFirstConversations: [
    'test/e2e/limits-rates.e2e-spec.ts',
    'a new device is told of 50 conversations, an older one of all',
  ],
  ttlMinSeconds: [
    'test/e2e/groups.e2e-spec.ts',
    'change title and lifetime by entries that all see in one order',
  ],
  ttlMaxSeconds: [
    'test/e2e/groups.e2e-spec.ts',
    'change title and lifetime by entries that all see in one order',
  ],
};
