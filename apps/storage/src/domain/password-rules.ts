import { LIMITS } from '@tidings/protocol/limits';
import { utf8Bytes } from '@tidings/protocol/text';
import { isCommonPassword } from './common-passwords';

/** What is wrong with a new password. */
export type PasswordProblem =
  { code: 'weak_password'; detail: string } | { code: 'invalid_request'; detail: string };

/**
 * Judges a new password: at least 8 code points, at most 1024 bytes, any Unicode, none of the most
 * common ones, not one's own name or address. Passwords are used exactly as typed.
 */
export function passwordProblem(
  password: string,
  own: { username: string; email: string },
): PasswordProblem | null {
  if (utf8Bytes(password) > LIMITS.passwordMaxBytes) {
    return {
      code: 'invalid_request',
      detail: `password: at most ${LIMITS.passwordMaxBytes} bytes`,
    };
  }
  if (!password.isWellFormed()) {
    return { code: 'invalid_request', detail: 'password: lone surrogates are not characters' };
  }
  if ([...password].length < LIMITS.passwordMinChars) {
    return {
      code: 'weak_password',
      detail: `The password needs at least ${LIMITS.passwordMinChars} characters`,
    };
  }
  const lower = password.toLowerCase();
  const names = [own.username, own.email, own.email.split('@')[0] ?? ''];
  if (names.some((name) => name.toLowerCase() === lower)) {
    return { code: 'weak_password', detail: 'The password is your name or e-mail address' };
  }
  if (isCommonPassword(password)) {
    return { code: 'weak_password', detail: 'This password is one of the most common ones' };
  }
  return null;
}
