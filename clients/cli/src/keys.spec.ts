import fc from 'fast-check';
import { KeyReader, type Key } from './keys';

const ESC = '\u001b';
const read = (...chunks: string[]): Key[] => {
  const reader = new KeyReader();
  return [...chunks.flatMap((chunk) => reader.feed(chunk)), ...reader.flush()];
};
/** Texts side by side are one text, however they came. */
const joined = (keys: readonly Key[]): Key[] =>
  keys.reduce<Key[]>((all, key) => {
    const last = all.at(-1);
    if (key.kind === 'text' && last?.kind === 'text') last.text += key.text;
    else all.push({ ...key });
    return all;
  }, []);

describe('keys', () => {
  it.each<[string, Key[]]>([
    ['hi', [{ kind: 'text', text: 'hi' }]],
    ['\r', [{ kind: 'key', name: 'enter' }]],
    [`${ESC}\r`, [{ kind: 'key', name: 'newline' }]],
    [`${ESC}[13;2u`, [{ kind: 'key', name: 'newline' }]],
    [ESC, [{ kind: 'key', name: 'escape' }]],
    [
      `${ESC}${ESC}`,
      [
        { kind: 'key', name: 'escape' },
        { kind: 'key', name: 'escape' },
      ],
    ],
    [
      `${ESC}[A${ESC}OA`,
      [
        { kind: 'key', name: 'up' },
        { kind: 'key', name: 'up' },
      ],
    ],
    [
      `${ESC}[I${ESC}[O`,
      [
        { kind: 'focus', on: true },
        { kind: 'focus', on: false },
      ],
    ],
    [`${ESC}[99;99~x`, [{ kind: 'text', text: 'x' }]],
    [`${ESC}\u0003`, [{ kind: 'key', name: 'interrupt' }]],
    ['\u0000\u0085x', [{ kind: 'text', text: 'x' }]],
    [`${ESC}[200~a\r\nb\u0003\u009b\t${ESC}[201~`, [{ kind: 'paste', text: 'a\nb  ', cut: false }]],
  ])('%j', (input, keys) => expect(read(input)).toEqual(keys));

  it('of a paste are bounded', () => {
    const [key] = read(`${ESC}[200~${'x'.repeat(200_000)}${ESC}[201~`);
    expect(key).toMatchObject({ kind: 'paste', cut: true });
    expect((key as { text: string }).text).toHaveLength(64 * 1024);
  });

  it('are the same wherever the input is cut, and never have a control character', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        ESC,
        `${ESC}[`,
        `${ESC}[200~`,
        `${ESC}[201~`,
        `${ESC}[A`,
        '\r',
        '\u0003',
        '👍',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(200), (pieces, at) => {
        const input = pieces.join('');
        const whole = joined(read(input));
        // A terminal's bytes are decoded as a stream: no character is cut.
        const cut = input.slice(0, at).isWellFormed() ? at : at + 1;
        expect(joined(read(input.slice(0, cut), input.slice(cut)))).toEqual(whole);
        for (const key of whole) {
          if ('text' in key) expect(key.text).not.toMatch(/[^\P{Cc}\n]/u);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
