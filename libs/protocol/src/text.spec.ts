import { contentProblem } from './content';
import { registerBody } from './http';
import { isPlainLine, isVisible } from './text';

const code = (point: number): string => `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
const points = (from: number, to = from): number[] =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe('names', () => {
  const bidi = [
    ...points(0x061c),
    ...points(0x200e, 0x200f),
    ...points(0x202a, 0x202e),
    ...points(0x2066, 0x2069),
  ];
  const controls = [...points(0, 0x1f), ...points(0x7f, 0x9f), 0x2028, 0x2029];
  const zeroWidth = [0xad, 0x180e, 0x200b, 0x200c, 0x200d, 0x2060, 0x2064, 0xfeff];

  it.each([...bidi, ...controls, ...zeroWidth].map((point) => [code(point), point] as const))(
    'refuse %s before, in and after a word, everywhere',
    (_name, point) => {
      const sign = String.fromCodePoint(point);
      for (const name of [`${sign}ab`, `a${sign}b`, `ab${sign}`, sign]) {
        expect(isPlainLine(name)).toBe(false);
        const body = { username: 'ann', email: 'a@b.example', firstName: name, password: 'x' };
        expect(registerBody.safeParse(body).success).toBe(false);
        const file = {
          kind: 'file',
          mediaId: '01890a5d-ac96-774b-bcce-b302099a8001',
          name,
        } as const;
        expect(contentProblem(file)).toBe('invalid_request');
      }
    },
  );

  it.each([
    'Ann',
    'Zoë O’Neil-Smith',
    'محمد',
    'שרה',
    'می\u200cخواهم',
    'क्\u200dष',
    'ශ්\u200dරී',
    '👩\u200d🚀 team',
    '👩🏽\u200d💻',
    '🏳️\u200d🌈',
    '日本 報告.pdf',
    'e\u0301',
  ])('take %s', (name) => {
    expect([isPlainLine(name), isVisible(name)]).toEqual([true, true]);
  });
});

describe('a text', () => {
  const hidden = [
    '',
    ' ',
    '\n\t',
    '\u00a0',
    '\u3000',
    '\u200b',
    '\u200d',
    '\u2060',
    '\ufeff',
    '\u202e',
  ];
  const fillers = [
    '\u3164',
    '\u115f',
    '\u1160',
    '\uffa0',
    '\u2800',
    '\u0301',
    '\ufe0f',
    '\u{e0041}',
  ];

  it.each([...hidden, ...fillers, `${hidden.join('')}${fillers.join('')}`])(
    '%j shows nothing',
    (text) => {
      expect(isVisible(text)).toBe(false);
      expect(contentProblem({ kind: 'text', text })).toBe('invalid_request');
    },
  );

  it.each([
    '.',
    'a',
    '1',
    '語',
    '👍',
    '🇩🇪',
    '\u202eabc',
    ' x ',
    '\u200bx',
    '1\ufe0f\u20e3',
    '\ue000',
  ])('%j shows something', (text) => {
    expect(isVisible(text)).toBe(true);
    expect(contentProblem({ kind: 'text', text })).toBeNull();
  });
});
