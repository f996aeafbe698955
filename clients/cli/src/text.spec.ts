import { readFile } from 'node:fs/promises';
import { TidingsError, NetworkError, Outgoing } from '@tidings/sdk';
import { friendly } from './friendly-errors';
import { safeName } from './files';
import { clockTime, contentText, messageLines, presenceText } from './message-lines';
import { safeLine, safeText } from './safe-text';
import { colours, plain } from './style';
import { UnderWay } from './under-way';
import { displayWidth, shortened, wrap } from './width';

const ESC = '\u001b';

describe('text of others', () => {
  it.each([
    ['colours', `${ESC}[31mred`, '␛[31mred'],
    ['window title', `${ESC}]0;title\u0007`, '␛]0;title␇'],
    ['C1 introducer', '\u009b2J', '\ufffd2J'],
    ['carriage return', 'good\rbad', 'good␍bad'],
    ['backspace and delete', 'a\b\u007f', 'a␈␡'],
    ['direction marks', 'a\u202eb\u2066c\u200fd', 'a\ufffdb\ufffdc\ufffdd'],
    ['line separators', 'a\u2028b', 'a\ufffdb'],
    ['invisible tags', 'a\u{e0041}', 'a\ufffd'],
    ['a lone surrogate', 'a\ud800', 'a\ufffd'],
    ['NUL', 'a\u0000b', 'a␀b'],
    ['tabs', 'a\tb', 'a  b'],
    ['newlines stay', 'a\r\nb\nc', 'a\nb\nc'],
    ['emoji stay', '👩‍👩‍👧 ok', '👩‍👩‍👧 ok'],
    ['other scripts stay', 'مرحبا 你好', 'مرحبا 你好'],
  ])('%s', (_, text, shown) => expect(safeText(text)).toBe(shown));

  it('is one line where a name is shown', () => {
    expect(safeLine('a\nb')).toBe('a b');
  });
});

describe('width on a terminal', () => {
  it.each([
    ['plain', 5],
    ['', 0],
    ['你好', 4],
    ['👩‍👩‍👧', 2],
    ['e\u0301', 1],
    [`${ESC}[1mbold${ESC}[22m`, 4],
  ])('%j: %i', (text, width) => expect(displayWidth(text)).toBe(width));

  it('wraps between words, and inside a word that is too long', () => {
    expect(wrap('the quick brown fox', 10)).toEqual(['the quick', 'brown fox']);
    expect(wrap('0123456789abc def', 10)).toEqual(['0123456789', 'abc def']);
    expect(wrap('one\n\ntwo', 10)).toEqual(['one', '', 'two']);
    expect(wrap('你好你好你好', 5)).toEqual(['你好', '你好', '你好']);
  });

  it.each([
    ['short', 10, 'short'],
    ['much too long', 9, 'much too…'],
    ['你好你好', 6, '你好…'],
    ['any', Infinity, 'any'],
  ])('shortens %j to %d columns', (text, width, short) => {
    expect(shortened(text, width)).toBe(short);
  });

  it('never makes a line wider than asked', () => {
    const text = 'It is perfectly phrased! and quite as true as any observation should be.';
    for (let width = 4; width < 80; width++) {
      const lines = wrap(text, width);
      expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(width);
      expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
    }
  });
});

describe('lines of a message', () => {
  const message = { time: '12:03', author: 'ann', text: 'one two three four', own: false };

  it('indents what does not fit below the first word', () => {
    expect(messageLines(message, 21, plain)).toEqual([
      '12:03  ann  one two',
      '            three',
      '            four',
    ]);
  });

  it('is one line for a pipe, with the tick of an own message', () => {
    const own = { ...message, author: 'you', tick: '✓', own: true };
    expect(messageLines(own, Infinity, plain)).toEqual(['12:03  you ✓  one two three four']);
  });

  it('keeps its width whatever the colours', () => {
    const widths = (lines: string[]): number[] => lines.map(displayWidth);
    expect(widths(messageLines(message, 21, colours))).toEqual(
      widths(messageLines(message, 21, plain)),
    );
  });

  it('shows time, and the date when it was another day', () => {
    const now = new Date(2026, 10, 21, 18, 0);
    expect(clockTime(new Date(2026, 10, 21, 9, 5).toISOString(), now)).toBe('09:05');
    expect(clockTime(new Date(2026, 10, 20, 9, 5).toISOString(), now)).toBe('2026-11-20 09:05');
    expect(clockTime('nonsense', now)).toBe('--:--');
  });

  it('names content that it cannot show', () => {
    expect(contentText({ kind: 'text', text: `a${ESC}` })).toBe('a␛');
    expect(contentText({ kind: 'text', text: 'a' }, true)).toBe('(deleted)');
    expect(contentText({ kind: 'poll' } as never)).toBe('(poll: not shown in a terminal)');
  });

  it('shows images and files as links to save', () => {
    const file = { mediaId: 'm', type: 'image/png', size: 12_345 };
    const image = { kind: 'image' as const, ...file, width: 640, height: 480 };
    expect(contentText(image, false, 3)).toBe('[image 640×480, 12 kB · /save 3]');
    expect(contentText({ ...image, caption: `look${ESC}` }, false, 3)).toBe(
      '[image 640×480, 12 kB · /save 3] look␛',
    );
    expect(
      contentText({ kind: 'file', ...file, size: 2_500_000, name: `a${ESC}.pdf` }, false, 4),
    ).toBe('[file a␛.pdf, 2.5 MB · /save 4]');
  });

  it.each([
    ['report.pdf', 'report.pdf'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\x\\..\\evil.exe', 'evil.exe'],
    ['..', 'file'],
    ['.bashrc', 'bashrc'],
    ['a/', 'file'],
    [`a${ESC}[2J`, 'a␛[2J'],
    ['a:b?c', 'a_b_c'],
  ])('saves a file called %j as %j', (name, saved) => expect(safeName(name)).toBe(saved));

  it('tells presence', () => {
    const presence = { userId: 'u', activeAt: null, lastSeenAt: null, version: 1 };
    expect(presenceText(undefined)).toBe('');
    expect(presenceText({ ...presence, status: 'online' })).toBe('online');
    expect(presenceText({ ...presence, status: 'offline' })).toBe('offline');
    expect(
      presenceText({ ...presence, status: 'offline', lastSeenAt: '2020-01-01T12:00:00Z' }),
    ).toContain('last seen 2020-01-01');
  });
});

describe('errors in words', () => {
  it.each([
    [new TidingsError('bad_credentials'), 'User name or password is wrong.'],
    [new TidingsError('username_taken'), 'This user name is taken. Please choose another one.'],
    [new TidingsError('weak_password', { detail: 'Too short' }), 'Too short.'],
    [new TidingsError('rate_limited', { retryAfterMs: 3_000 }), 'Please wait 3 seconds.'],
    [
      new NetworkError('Cannot reach http://x'),
      'Cannot reach http://x. Is the server running, and its address right?',
    ],
    [new Error(`odd ${ESC}[2J`), 'odd ␛[2J'],
    ['text', 'text'],
  ])('%s', (error, sentence) => expect(friendly(error)).toContain(sentence));

  it.each([
    [['messageTtlSeconds'], 'Messages can stay from 10 seconds to 365 days.'],
    [['email', 'email'], 'That is not an e-mail address.'],
    [['members.3.username'], 'A user name has 3 to 32 letters or digits.'],
    [['query'], 'Please type at least two letters of the name, and not more than a name has.'],
  ])('says in words what is wrong with %j, and nothing of schemas', (paths, sentence) => {
    const errors = paths.map((path) => ({
      path,
      message: 'Too small: expected number to be >=10',
    }));
    const detail = 'messageTtlSeconds: Too small';
    expect(friendly(new TidingsError('invalid_request', { errors, detail }))).toBe(sentence);
  });

  it('says plainly what is the matter with a file', async () => {
    const reading = async (path: string) => friendly(await readFile(path).catch((e: unknown) => e));
    expect(await reading('/no\u001bpe')).toBe('There is no such file or folder: /no␛pe');
    // From Node 26 on the error has the path.
    expect(await reading('/')).toMatch(/^That is a folder, not a file(\.|: \/)$/);
  });
});

describe('own messages under way', () => {
  const outgoing = (messageId: string, to: string): Outgoing =>
    new Outgoing({ messageId, to, content: { kind: 'text', text: '' }, writtenAt: 0 });

  it('are printed in the order of writing, each chat by itself', () => {
    const underWay = new UnderWay();
    const [one, two, other] = [outgoing('1', 'a'), outgoing('2', 'a'), outgoing('3', 'b')];
    for (const o of [one, two, other]) underWay.add(o!);
    expect(underWay.settle(two!, () => ['two'])).toEqual([]);
    expect(underWay.settle(other!, () => ['other'])).toEqual(['other']);
    expect(underWay.all()).toEqual([one, two]);
    expect(underWay.settle(one!, () => ['one'])).toEqual(['one', 'two']);
    expect(underWay.settle(outgoing('9', 'a'), () => ['unknown'])).toEqual(['unknown']);
  });
});
