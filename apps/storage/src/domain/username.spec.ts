import fc from 'fast-check';
import { emailKey, usernameKey, UsernameProblem, usernamePrefix } from './username';

describe('user name', () => {
  it.each([
    ['plain', 'alice', 'alice'],
    ['case', 'Alice', 'alice'],
    ['full width', 'Ａlice', 'alice'],
    ['half-width katakana with its mark', 'ﾀﾞｲｽｹ', 'ダイスケ'],
    ['composed', 'Jos\u00e9', 'jos\u00e9'],
    ['decomposed', 'Jose\u0301', 'jos\u00e9'],
    ['final sigma', 'ΟΔΟΣ', 'οδοσ'],
    ['small final sigma', 'οδος', 'οδοσ'],
    ['digits and signs', 'a.b_c-9', 'a.b_c-9'],
    ['digits only', '12345', '12345'],
    ['Cyrillic', 'Дмитрий', 'дмитрий'],
    ['Hebrew', 'שלום', 'שלום'],
    ['Arabic with digits', 'علي12', 'علي12'],
    ['Devanagari with marks', 'विकास', 'विकास'],
    ['Japanese in three scripts', '山田たろうビル', '山田たろうビル'],
    ['Japanese with Latin', 'taro山田', 'taro山田'],
    ['Korean', '김철수', '김철수'],
    ['Thai', 'สมชาย', 'สมชาย'],
    ['Vietnamese marks', 'Nguyễn', 'nguyễn'],
    ['length of 3', 'abc', 'abc'],
    ['length of 32', 'a'.repeat(32), 'a'.repeat(32)],
    ['32 characters outside the first plane', '𠀀'.repeat(32), '𠀀'.repeat(32)],
  ])('takes %s', (_what, typed, key) => expect(usernameKey(typed)).toBe(key));

  it.each([
    ['too short', 'ab'],
    ['too long', 'a'.repeat(33)],
    ['empty', ''],
    ['a space', 'al ice'],
    ['a trailing space', 'alice '],
    ['a no-break space', 'al\u00a0ice'],
    ['an ideographic space', 'al\u3000ice'],
    ['a tab', 'al\tice'],
    ['NUL', 'al\u0000ice'],
    ['a line break', 'alice\r\nadmin'],
    ['an escape', 'al\u001b[31mice'],
    ['a lone surrogate', 'al\ud800ice'],
    ['zero-width space', 'ali\u200bce'],
    ['zero-width joiner', 'ali\u200dce'],
    ['byte order mark', 'ali\ufeffce'],
    ['soft hyphen', 'ali\u00adce'],
    ['right-to-left override', 'ali\u202ece'],
    ['bidi isolate', 'ali\u2066ce'],
    ['variation selector', 'alice\ufe0f'],
    ['Hangul filler', 'ali\u3164ce'],
    ['Latin with Cyrillic', 'pаypal'],
    ['Latin with Greek', 'αlice'],
    ['Cyrillic with Greek', 'аlфaω'.replace('l', 'л')],
    ['Latin with Hebrew', 'aliceש'],
    ['a ligature', 'ﬁona'],
    ['mathematical letters', '𝐚𝐥𝐢𝐜𝐞'],
    ['superscript digits', 'alice²'],
    ['circled letters', 'ⓐlice'],
    ['an emoji', 'alice😀'],
    ['quotes', "alice'--"],
    ['SQL', "'; DROP TABLE users;--"],
    ['a slash', 'alice/bob'],
    ['a colon', 'alice:bob'],
    ['an at sign', 'alice@example.org'],
    ['a full-width at sign', 'alice＠example'],
    ['signs only', '...'],
    ['a leading mark', '\u0301alice'],
    ['piled marks', 'alice\u0301\u0302\u0303'],
    ['an enclosing mark', 'alice\u20dd'],
    ['a second dot on an i', 'ali\u0307ce'],
    ['the dotted capital I, which hides one', 'ALİCE'],
    ['a right-to-left name that starts with a digit', '1שלום'],
    ['symbols', 'alice™'],
    ['a script that is not in use', '𐌰𐌱𐌲𐌳'],
  ])('refuses %s', (_what, typed) => expect(() => usernameKey(typed)).toThrow(UsernameProblem));

  it('maps its own result to itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 3, maxLength: 12 }), (typed) => {
        const key = attempt(typed);
        return key === null || usernameKey(key) === key;
      }),
      { numRuns: 3_000 },
    );
  });

  it('does not depend on case, width or composition', () => {
    const letters = fc.constantFrom(...'abcxyzäöüéñ0189._-');
    fc.assert(
      fc.property(fc.array(letters, { minLength: 3, maxLength: 20 }), (parts) => {
        const typed = parts.join('');
        const key = attempt(typed);
        const wide = typed.replace(/[a-z0-9]/g, (c) =>
          String.fromCodePoint(c.codePointAt(0)! + 0xfee0),
        );
        const same = [typed.toUpperCase(), typed.normalize('NFD'), wide].map(attempt);
        return same.every((other) => other === key);
      }),
    );
  });

  it('judges hostile lengths quickly', () => {
    const startedAt = performance.now();
    for (const unit of ['a', '\u0301', 'a\u0301', '\u202e', '𝐚', '.'])
      attempt(unit.repeat(100_000));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

describe('search text', () => {
  it.each([
    ['AL', 'al'],
    [' al', 'al'],
    ['Ａl', 'al'],
    ['Jose\u0301', 'jos\u00e9'],
    ['', ''],
    ['%_', '%_'],
  ])('%j stands for names that start with %j', (typed, prefix) =>
    expect(usernamePrefix(typed)).toBe(prefix),
  );

  it('that cannot be stored matches nothing', () => expect(usernamePrefix('a\u0000')).toBeNull());
});

describe('e-mail address', () => {
  it('is compared in lower case', () => {
    expect(emailKey('Alice.B@Example.ORG')).toBe('alice.b@example.org');
  });
});

function attempt(typed: string): string | null {
  try {
    return usernameKey(typed);
  } catch (error) {
    if (error instanceof UsernameProblem) return null;
    throw error;
  }
}
