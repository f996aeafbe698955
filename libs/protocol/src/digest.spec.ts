import { createHash } from 'node:crypto';
import { DIGEST_VECTORS, digestText } from './digest';
import { base64url, makeConversationId, uuidV7Time } from './ids';
import { comparePositions } from './positions';
import { fitsBytes, isStorable } from './text';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

describe('state digest', () => {
  it.each(DIGEST_VECTORS)('reproduces the published vector $digest', ({ messages, digest }) => {
    expect(base64url(sha256(new TextEncoder().encode(digestText(messages))))).toBe(digest);
  });

  it('covers only the last ten messages', () => {
    const ten = DIGEST_VECTORS[2]!.messages;
    const older = {
      position: '1',
      messageId: '01890a5d-ac96-774b-bcce-b302099a8000',
      version: '0',
    };
    expect(digestText([older, ...ten])).toBe(digestText(ten));
  });
});

describe('conversation id', () => {
  it('hashes time, sorted founders and request id', () => {
    const a = '01890a5d-ac96-774b-bcce-b302099a8057';
    const b = '01890a5d-ac97-7c3a-8f10-2b7d5c7e9a11';
    const expected = createHash('sha256').update(`1700000000000\n${a},${b}\n`).digest('base64url');
    expect(makeConversationId(sha256, 1700000000000, [b, a])).toBe(expected);
    expect(makeConversationId(sha256, 1700000000000, [a, b])).toBe(expected);
    expect(makeConversationId(sha256, 1700000000000, [a, b], 'r')).not.toBe(expected);
  });
});

describe('small parts of the protocol', () => {
  it('encodes base64url as Node does, at every length', () => {
    for (let n = 0; n < 40; n++) {
      const bytes = Uint8Array.from({ length: n }, (_, i) => (i * 37 + n) % 256);
      expect(base64url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
    }
  });

  it('reads the time of a UUIDv7 and of nothing else', () => {
    expect(uuidV7Time('01890a5d-ac96-774b-bcce-b302099a8057')).toBe(0x01890a5dac96);
    expect(uuidV7Time('01890a5d-ac96-474b-bcce-b302099a8057')).toBeNull();
  });

  it('orders positions as numbers', () => {
    const sorted = ['10', '9', '100', '0'].sort(comparePositions);
    expect(sorted).toEqual(['0', '9', '10', '100']);
  });

  it.each([
    ['plain', true],
    ['emoji 👩‍👩‍👧', true],
    ['nul \u0000', false],
    ['high \ud800 alone', false],
    ['low \udc00 alone', false],
  ])('storable: %j → %s', (text, ok) => expect(isStorable(text)).toBe(ok));

  it('counts bytes, not characters', () => {
    expect(fitsBytes('é'.repeat(5), 10)).toBe(true);
    expect(fitsBytes('é'.repeat(5), 9)).toBe(false);
    expect(fitsBytes('👍', 4)).toBe(true);
    expect(fitsBytes('👍', 3)).toBe(false);
  });
});
