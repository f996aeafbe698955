import { LIMITS } from '@tidings/protocol/limits';
import { COMMON_PASSWORDS, isCommonPassword } from './common-passwords';
import { passwordProblem } from './password-rules';

const OWN = { username: 'alice-smith', email: 'alice.smith@example.org' };
const codeOf = (password: string) => passwordProblem(password, OWN)?.code ?? 'fine';

describe('password rules', () => {
  it.each([
    ['seven characters', 'zK4!vq9', 'weak_password'],
    ['eight characters', 'zK4!vq9w', 'fine'],
    ['eight characters of two units each', '🐢🐙🦊🐳🦉🐝🦋🐌', 'fine'],
    ['seven characters of two units each', '🐢🐙🦊🐳🦉🐝🦋', 'weak_password'],
    ['1024 bytes', 'xyzw'.repeat(255) + 'abcd', 'fine'],
    ['1025 bytes', 'xyzw'.repeat(255) + 'abcde', 'invalid_request'],
    ['NUL inside', 'before\u0000after', 'fine'],
    ['spaces only around words', ' four words with spaces ', 'fine'],
    ['a lone surrogate', 'abcdefgh\ud800', 'invalid_request'],
    ['the own name', 'Alice-Smith', 'weak_password'],
    ['the own address', 'alice.smith@example.org', 'weak_password'],
    ['a common one', 'password', 'weak_password'],
    ['a common one in other case', 'PassWord1', 'weak_password'],
    ['a common one with digits for letters', 'P@ssw0rd123', 'weak_password'],
    ['a walk over the keyboard', 'qwertyuiop', 'weak_password'],
    ['the same backwards', 'poiuytrewq', 'weak_password'],
    ['one character', 'aaaaaaaaaaaa', 'weak_password'],
    ['one short piece', 'abcabcabcabc', 'weak_password'],
    ['digits in order', '123456789', 'weak_password'],
    ['a season and year', 'Summer2026', 'weak_password'],
    ['a phrase', 'correct staple, battery horse', 'fine'],
  ])('%s: %s', (_what, password, expected) => expect(codeOf(password)).toBe(expected));

  it('knows some thousand common passwords', () => {
    expect(COMMON_PASSWORDS).toBeGreaterThan(3_000);
    expect(LIMITS.passwordMinChars).toBe(8);
  });

  it('judges long passwords quickly', () => {
    const startedAt = performance.now();
    for (const unit of ['a', 'ab', 'abc1', '🐢']) isCommonPassword(unit.repeat(100_000));
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
