import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { LIMITS } from '@tidings/protocol/limits';
import { CARRIED_MAX, decodeSince, encodeSince, type Since } from './since';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const USER = '01890a5d-ac96-774b-bcce-b302099a8057';
const OTHER = '01890a5d-ac97-7c3a-8f10-2b7d5c7e9a11';
const expected = { userId: USER, epoch: 3, partitions: 4 };
const next = [0n, 17n, 2n ** 40n, 5n];

const offset = fc.bigInt({ min: 0n, max: 2n ** 62n });
const list = fc.array(offset, { minLength: 4, maxLength: 4 });
const prefix = fc.string({
  unit: fc.constantFrom(...'ABCxyz019-_'),
  minLength: 8,
  maxLength: 8,
});
const continuation = fc.record({
  mode: fc.constantFrom('since' as const, 'new' as const, 'listed' as const),
  target: list,
  carried: fc.array(
    fc.oneof(
      fc.record(
        { prefix, have: fc.option(offset), seen: fc.bigInt({ min: 1n, max: 2n ** 62n }) },
        { requiredKeys: ['prefix', 'have'] },
      ),
      fc.record({ prefix, have: offset, reset: fc.constant(true as const) }),
    ),
    { maxLength: 20 },
  ),
  after: fc.option(fc.string({ unit: fc.constantFrom(...'ABCxyz019-_'), maxLength: 64 })),
  delayed: fc.boolean(),
});

describe('since', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(list, fc.option(continuation, { nil: undefined }), (offsets, rest) => {
        const since: Since = { epoch: 3, next: offsets, ...(rest && { continuation: rest }) };
        expect(decodeSince(sha256, encodeSince(sha256, USER, since), expected)).toEqual(since);
      }),
    );
  });

  it.each([
    ['another user', { ...expected, userId: OTHER }],
    ['another epoch', { ...expected, epoch: 4 }],
    ['another partition count', { ...expected, partitions: 5 }],
  ])('of %s is none', (_what, wanted) => {
    const text = encodeSince(sha256, USER, { epoch: 3, next });
    expect(decodeSince(sha256, text, wanted)).toBeNull();
  });

  it('never throws on foreign text', () => {
    const own = encodeSince(sha256, USER, { epoch: 3, next });
    const parts = fc.constantFrom(...own.split('.'), '', 's', 'n', '!', 'zzzzzzzzzzzzzz', '~', '-');
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 9 }), (fields) => {
        decodeSince(sha256, fields.join('.'), expected);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => decodeSince(sha256, text, expected) === null));
  });

  it('fits into a request with the most that it carries', () => {
    const text = encodeSince(sha256, USER, {
      epoch: 1,
      next: Array.from({ length: 64 }, () => 2n ** 40n),
      continuation: {
        mode: 'since',
        target: Array.from({ length: 64 }, () => 2n ** 40n),
        carried: Array.from({ length: CARRIED_MAX }, (_, i) => ({
          prefix: 'abcdefgh',
          have: 2n ** 62n,
          // of one conversation at most, see chooseConversations
          ...(i === 0 && { seen: 2n ** 62n }),
        })),
        after: 'x'.repeat(64),
        delayed: true,
      },
    });
    expect(text.length).toBeLessThanOrEqual(LIMITS.sinceChars);
  });
});
