import fc from 'fast-check';
import { TidingsError } from '@tidings/protocol/errors';
import { decodeCursor, encodeCursor } from './cursor';

describe('cursor', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' }), { minLength: 2, maxLength: 2 }),
        (key) => {
          fc.pre(key.every((part) => !part.includes('\0') && part.isWellFormed()));
          expect(decodeCursor(encodeCursor(key), 2)).toEqual(key);
        },
      ),
    );
  });

  it.each([
    ['nothing', ''],
    ['no base64', '***'],
    ['no JSON', 'abcd'],
    ['too few parts', encodeCursor(['a'])],
    ['too many parts', encodeCursor(['a', 'b', 'c'])],
    ['NUL', encodeCursor(['a', 'b\u0000'])],
    ['SQL', "' OR 1=1 --"],
  ])('refuses %s', (_what, cursor) => {
    expect(() => decodeCursor(cursor, 2)).toThrow(TidingsError);
  });
});
