import { LIMITS } from '@tidings/protocol/limits';
import { utf8Bytes } from '@tidings/protocol/text';

/** What is asked of who makes an account. */
export type Answer = 'username' | 'password' | 'firstName' | 'email';

/** Said before the first question: nobody likes to be told afterwards. */
export const RULES: readonly string[] = [
  'A new account. The rules:',
  `  User name   ${LIMITS.usernameMinChars} to ${LIMITS.usernameMaxChars} letters and digits, also . _ and -, of one script; others see it`,
  `  Password    at least ${LIMITS.passwordMinChars} characters, not your name, none that everybody uses`,
  '  First name  whatever you like to be called; others see it',
  '  E-mail      one that leads nowhere is offered; others do not see it',
  'Esc goes back to the beginning, Ctrl-C leaves.',
];

/**
 * What is wrong with an answer, as far as that can be told without the server; null: nothing. The
 * server has the last word: it knows which names are taken.
 */
export function answerProblem(
  which: Answer,
  answer: string,
  own: { username?: string; email?: string } = {},
): string | null {
  switch (which) {
    case 'username':
      return usernameProblem(answer);
    case 'password':
      return passwordProblem(answer, own);
    case 'firstName':
      return [...answer].length > LIMITS.nameChars
        ? `At most ${LIMITS.nameChars} characters, please.`
        : null;
    case 'email':
      return /^[^\s@]+@[^\s@]+\.[^\s@.]+$/u.test(answer) && answer.length <= LIMITS.emailChars
        ? null
        : 'That does not look like an e-mail address: name@example.org';
  }
}

function usernameProblem(name: string): string | null {
  const length = [...name.normalize('NFC')].length;
  if (length < LIMITS.usernameMinChars || length > LIMITS.usernameMaxChars) {
    return `A user name has ${LIMITS.usernameMinChars} to ${LIMITS.usernameMaxChars} characters; this one has ${length}.`;
  }
  const odd = /[^\p{L}\p{Nd}\p{Mn}\p{Mc}._-]/u.exec(name)?.[0];
  if (odd === ' ') return 'A user name has no blanks: letters, digits, . _ and - only.';
  if (odd !== undefined) return 'A user name has letters, digits, . _ and - only.';
  return /[\p{L}\p{Nd}]/u.test(name) ? null : 'A user name needs a letter or a digit.';
}

function passwordProblem(
  password: string,
  { username, email }: { username?: string; email?: string },
): string | null {
  const length = [...password].length;
  if (length < LIMITS.passwordMinChars) {
    return `A password has at least ${LIMITS.passwordMinChars} characters; this one has ${length}.`;
  }
  if (utf8Bytes(password) > LIMITS.passwordMaxBytes) {
    return `A password has at most ${LIMITS.passwordMaxBytes} bytes.`;
  }
  const lower = password.toLowerCase();
  const names = [username, email].filter((one) => one !== undefined);
  if (names.some((name) => name.toLowerCase() === lower)) return 'That is your name.';
  return null;
}
