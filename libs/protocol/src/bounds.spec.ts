import { CALL_BOUNDS, bodyLimit } from './bounds';
import { changedFrame, messageFrame } from './frames';
import { LIMITS } from './limits';

const KIB = 1024;
const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const POSITION = '9223372036854775807';

describe('bounds of calls', () => {
  it.each([
    ['PUT', `/v1/conversations/x/messages/${ID}`, 128 * KIB],
    ['PUT', `/V1/Conversations/x/messages/${ID}/`, 128 * KIB],
    ['POST', '/v1/conversations', 64 * KIB],
    ['POST', '/v1/auth/login', 32 * KIB],
    ['GET', '/v1/me', 32 * KIB],
    ['PUT', '/v1/nothing', 32 * KIB],
    ['POST', '/v1/media', LIMITS.fileBytes],
  ])('%s %s: %i', (method, path, bytes) => expect(bodyLimit(method, path)).toBe(bytes));

  it('hold for the largest of what each may ask', () => {
    const largest = (fill: string, n: number): string => fill.repeat(n);
    const escaped = (bytes: number): number => 6 * bytes;
    const message =
      escaped(LIMITS.textBytes) + LIMITS.metaBytes + LIMITS.mentions * (ID.length + 3) + 1_000;
    const put = CALL_BOUNDS['PUT /v1/conversations/:id/messages/:messageId'];
    expect(message).toBeLessThan(put.request);
    const listed = JSON.stringify({
      conversationId: largest('x', 43),
      position: POSITION,
      digest: largest('x', 43),
    });
    const sync = LIMITS.syncListed * (listed.length + 1) + LIMITS.sinceChars + 1_000;
    expect(sync).toBeLessThan(CALL_BOUNDS['POST /v1/sync'].request);
    const users = LIMITS.groupMembers * (ID.length + 3) + escaped(LIMITS.titleBytes) + 1_000;
    expect(users).toBeLessThan(CALL_BOUNDS['POST /v1/conversations'].request);
    expect(users).toBeLessThan(CALL_BOUNDS['POST /v1/conversations/:id/members'].request);
    const passwords = 2 * escaped(LIMITS.passwordMaxBytes) + 1_000;
    expect(passwords).toBeLessThan(CALL_BOUNDS['POST /v1/me/password'].request);
  });
});

describe('bounds of server frames', () => {
  const message = {
    conversationId: 'x'.repeat(43),
    position: POSITION,
    messageId: ID,
    senderId: ID,
    sentAt: '2026-11-23T07:00:00.000Z',
    version: POSITION,
    expiresAt: '2026-11-23T07:00:00.000Z',
    previous: POSITION,
    replyTo: ID,
    mentions: Array<string>(LIMITS.mentions).fill(ID),
    meta: '"'.repeat((LIMITS.metaBytes - 2) / 2),
  };
  const text = '\u0001'.repeat(LIMITS.textBytes);
  const contents = [
    { kind: 'text', text },
    { kind: 'image', mediaId: ID, caption: text, type: 'image/webp', size: 1, width: 1, height: 1 },
    { kind: 'file', mediaId: ID, name: '漢'.repeat(LIMITS.fileNameChars), type: 'x', size: 1 },
    { kind: 'custom', data: '"'.repeat((LIMITS.customBytes - 2) / 2) },
    {
      kind: 'event',
      event: {
        kind: 'created',
        conversationKind: 'group',
        userIds: Array<string>(LIMITS.groupMembers).fill(ID),
        title: '"'.repeat(LIMITS.titleBytes),
      },
    },
  ];

  it.each(contents.map((content) => [content.kind, content] as const))(
    'the largest message with %s fits',
    (_, content) => {
      const frame = { type: 'message', ...message, content };
      expect(messageFrame.safeParse(frame).error).toBeUndefined();
      expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThan(LIMITS.serverFrameBytes);
      const changed = { ...frame, type: 'changed', changeId: ID };
      expect(changedFrame.safeParse(changed).error).toBeUndefined();
      expect(Buffer.byteLength(JSON.stringify(changed))).toBeLessThan(LIMITS.serverFrameBytes);
    },
  );
});
