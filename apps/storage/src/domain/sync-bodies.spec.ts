import type { SyncedConversation } from '@tidings/common/contracts/frames';
import { LIMITS } from '@tidings/common/contracts/limits';
import { utf8Bytes } from '@tidings/common/contracts/text';
import { ANSWER_BYTES, answerLength, BODY_BYTES, fitConversation, packBodies } from './sync-bodies';

const conversation = (texts: string[]): SyncedConversation => ({
  ...{ conversationId: 'c', state: 'behind', more: false, upTo: '99', digest: 'd', unread: 0 },
  receipts: [],
  messages: texts.map((text, i) => ({
    ...{ conversationId: 'c', position: String(i + 1), version: '0' },
    messageId: '01890a5d-ac96-774b-bcce-b302099a8057',
    senderId: '01890a5d-ac96-774b-bcce-b302099a8057',
    content: { kind: 'text', text },
    sentAt: '2026-01-01T00:00:00.000Z',
  })),
});
const always = (): boolean => true;

describe('sync bodies', () => {
  it('leaves a conversation that fits as it is', () => {
    const small = conversation(['a', 'b']);
    expect(fitConversation(small, always, '0').conversation).toBe(small);
  });

  it.each([
    ['plain text', 'x'.repeat(LIMITS.textBytes)],
    ['text whose JSON is six times as long', '\u0001'.repeat(LIMITS.textBytes)],
    ['text of three bytes each', '語'.repeat(LIMITS.textBytes / 3)],
  ])('leaves out the oldest new messages: %s', (_what, text) => {
    const big = conversation(Array.from({ length: 100 }, () => text));
    const { conversation: fitted, bytes } = fitConversation(big, always, '0');
    expect(fitted.more).toBe(true);
    expect(fitted.messages.at(-1)!.position).toBe('100');
    expect(fitted.messages.length).toBeGreaterThan(0);
    expect(bytes).toBe(utf8Bytes(JSON.stringify(fitted)) - (fitted.more ? -1 : 0));
    expect(bytes).toBeLessThan(BODY_BYTES);
  });

  it.each([
    ['changed ones alone', 400, 400, 1],
    ['changed ones and new ones', 400, 300, 1],
    ['few changed ones beside many new ones', 100, 2, 2],
  ])('leaves out no changed message: %s', (_what, count, changed, fitting) => {
    const whole = conversation(Array.from({ length: count }, () => 'x'.repeat(3_000)));
    const isNew = (position: string): boolean => Number(position) > changed;
    const fitted = fitConversation(whole, isNew, String(changed));
    const bodies = packBodies([fitted], { complete: true });
    for (const body of bodies) {
      expect(utf8Bytes(JSON.stringify(body))).toBeLessThan(LIMITS.serverFrameBytes - 9_000);
    }
    const parts = bodies.flatMap((body) => body.conversations);
    const served = parts.flatMap((part) => part.messages.map((m) => Number(m.position)));
    const first = count - (parts.at(-1)!.messages.length || 1);
    expect(served.slice(0, changed)).toEqual(Array.from({ length: changed }, (_, i) => i + 1));
    expect(served.slice(changed)).toEqual(
      Array.from({ length: count - changed }, (_, i) => changed + i + 1).filter((p) => p > first),
    );
    expect(parts.slice(0, -1).every((part) => !part.more && part.upTo === `${changed}`)).toBe(true);
    expect(parts.at(-1)).toMatchObject({ upTo: '99', more: served.length < count });
    expect(answerLength([fitted, fitted])).toBe(fitting);
  });

  it('packs every conversation, in order, into frames that fit', () => {
    const sized = Array.from({ length: 40 }, (_, i) =>
      fitConversation({ ...conversation(['x'.repeat(16_000), 'y']), upTo: String(i) }, always, '0'),
    );
    const bodies = packBodies(sized, { since: 's', complete: true });
    expect(bodies.length).toBeGreaterThan(1);
    for (const body of bodies) {
      expect(utf8Bytes(JSON.stringify(body))).toBeLessThan(LIMITS.serverFrameBytes - 9_000);
    }
    expect(bodies.flatMap((b) => b.conversations.map((c) => c.upTo))).toEqual(
      sized.map((_, i) => String(i)),
    );
    expect(bodies.map((b) => b.complete)).toEqual([...bodies.slice(1).map(() => undefined), true]);
  });

  it('answers nothing with one body', () => {
    expect(packBodies([], { complete: true })).toEqual([{ conversations: [], complete: true }]);
  });

  it('bounds an answer in bytes, but serves at least one', () => {
    const sized = (bytes: number) => ({ conversation: conversation([]), bytes });
    expect(answerLength([])).toBe(0);
    expect(answerLength([sized(ANSWER_BYTES + 1)])).toBe(1);
    expect(answerLength([sized(ANSWER_BYTES), sized(1)])).toBe(1);
    expect(answerLength([sized(10), sized(10)])).toBe(2);
  });
});
