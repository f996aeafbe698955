import type { SyncedBody, SyncedConversation } from '@tidings/protocol/frames';
import { LIMITS } from '@tidings/protocol/limits';
import { utf8Bytes } from '@tidings/protocol/text';
import {
  answerLength,
  BODY_BYTES,
  type Draft,
  fitConversation,
  packBodies,
  PARTS,
  sized,
} from './sync-bodies';

const conversation = (texts: string[], changed = 0): Draft => ({
  conversationId: 'c',
  state: 'behind',
  more: false,
  upTo: '99',
  digest: 'd',
  unread: 0,
  receipts: '[]',
  messages: texts.map((text, i) => message(i + 1, text, i >= changed)),
});
const message = (n: number, text: string, fresh: boolean): Draft['messages'][number] => ({
  fresh,
  text: JSON.stringify({
    conversationId: 'c',
    position: String(n),
    version: '0',
    messageId: '01890a5d-ac96-774b-bcce-b302099a8057',
    senderId: '01890a5d-ac96-774b-bcce-b302099a8057',
    content: { kind: 'text', text },
    sentAt: '2026-01-01T00:00:00.000Z',
  }),
});
const read = (text: string): SyncedConversation => JSON.parse(text) as SyncedConversation;
const readAll = (bodies: string[]): SyncedBody[] => bodies.map((b) => JSON.parse(b) as SyncedBody);

describe('sync bodies', () => {
  it('leaves a conversation that fits as it is', () => {
    const small = conversation(['a', 'ü']);
    const { text, bytes } = fitConversation(small, '0');
    expect(read(text)).toEqual({
      ...small,
      messages: small.messages.map((m) => JSON.parse(m.text) as unknown),
      receipts: [],
    });
    expect(bytes).toBe(utf8Bytes(text));
  });

  it.each([
    ['plain text', 'x'.repeat(LIMITS.textBytes)],
    ['text whose JSON is six times as long', '\u0001'.repeat(LIMITS.textBytes)],
    ['text of three bytes each', '語'.repeat(LIMITS.textBytes / 3)],
  ])('leaves out the oldest new messages: %s', (_what, text) => {
    const big = conversation(Array.from({ length: 100 }, () => text));
    const { text: whole, bytes } = fitConversation(big, '0');
    const fitted = read(whole);
    expect(fitted.more).toBe(true);
    expect(fitted.messages.at(-1)!.position).toBe('100');
    expect(fitted.messages.length).toBeGreaterThan(0);
    expect(bytes).toBe(utf8Bytes(whole));
    expect(bytes).toBeLessThan(BODY_BYTES);
  });

  it.each([
    ['changed ones alone', 400, 400, 1],
    ['changed ones and new ones', 400, 300, 1],
    ['few changed ones beside many new ones', 100, 2, 2],
  ])('leaves out no changed message: %s', (_what, count, changed, fitting) => {
    const texts = Array.from({ length: count }, () => 'x'.repeat(3_000));
    const fitted = fitConversation(conversation(texts, changed), String(changed));
    const bodies = packBodies([fitted], { complete: true });
    for (const body of bodies) {
      expect(utf8Bytes(body)).toBeLessThan(LIMITS.serverFrameBytes - 9_000);
    }
    const parts = readAll(bodies).flatMap((body) => body.conversations);
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
    const fitted = Array.from({ length: 40 }, (_, i) =>
      fitConversation({ ...conversation(['x'.repeat(16_000), 'y']), upTo: String(i) }, '0'),
    );
    const texts = packBodies(fitted, { since: 's', complete: true });
    expect(texts.length).toBeGreaterThan(1);
    for (const text of texts) {
      expect(utf8Bytes(text)).toBeLessThan(LIMITS.serverFrameBytes - 9_000);
    }
    const bodies = readAll(texts);
    expect(bodies.flatMap((b) => b.conversations.map((c) => c.upTo))).toEqual(
      fitted.map((_, i) => String(i)),
    );
    expect(bodies.map((b) => b.complete)).toEqual([...bodies.slice(1).map(() => undefined), true]);
  });

  it('answers nothing with one body', () => {
    const bodies = packBodies([], { complete: true });
    expect(readAll(bodies)).toEqual([{ conversations: [], complete: true }]);
  });

  it('bounds an answer in bytes, but serves at least one', () => {
    const of = (bytes: number) => ({ ...sized(conversation([])), bytes });
    expect(answerLength([])).toBe(0);
    expect(answerLength([of(PARTS.answer + 1)])).toBe(1);
    expect(answerLength([of(PARTS.answer), of(1)])).toBe(1);
    expect(answerLength([of(10), of(10)])).toBe(2);
  });
});
