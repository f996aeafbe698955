import { randomUUID } from 'node:crypto';
import type { ChatUser } from '../../support/chat-user';

/** A good registration, but for these fields. */
export const register = (fields: object): object => ({
  username: `u${randomUUID().slice(0, 8)}`,
  email: `${randomUUID()}@example.org`,
  firstName: 'A',
  password: 'long enough for this',
  ...fields,
});

/** Who calls, and somebody else. */
interface Users {
  ann: ChatUser;
  bob: ChatUser;
}

/** Calls of ann that are wrong, and what they are answered; `SELF` stands for her id. */
export const CALLS: readonly [
  name: string,
  method: string,
  path: string,
  body: (who: Users) => object,
  status: number,
  code: string,
][] = [
  [
    'a wrong password',
    'POST',
    '/v1/auth/login',
    ({ ann }) => ({ username: ann.username, password: 'wrong horse' }),
    401,
    'bad_credentials',
  ],
  [
    'an unknown user',
    'POST',
    '/v1/auth/login',
    () => ({ username: 'nobody-here', password: 'wrong horse' }),
    401,
    'bad_credentials',
  ],
  [
    'an object as password',
    'POST',
    '/v1/auth/login',
    ({ ann }) => ({ username: ann.username, password: {} }),
    400,
    'invalid_request',
  ],
  [
    'a taken name',
    'POST',
    '/v1/users',
    ({ ann }) => register({ username: ann.username }),
    409,
    'username_taken',
  ],
  [
    'a taken name in upper case',
    'POST',
    '/v1/users',
    ({ ann }) => register({ username: ann.username.toUpperCase() }),
    409,
    'username_taken',
  ],
  [
    'a taken name in full width',
    'POST',
    '/v1/users',
    ({ ann }) =>
      register({
        username: [...ann.username]
          .map((c) => String.fromCodePoint(c.codePointAt(0)! + 0xfee0))
          .join(''),
      }),
    409,
    'username_taken',
  ],
  [
    'a name of two letters',
    'POST',
    '/v1/users',
    () => register({ username: 'ab' }),
    400,
    'username_invalid',
  ],
  [
    'a name of 33 letters',
    'POST',
    '/v1/users',
    () => register({ username: 'a'.repeat(33) }),
    400,
    'username_invalid',
  ],
  [
    'SQL as name',
    'POST',
    '/v1/users',
    () => register({ username: `x'; DROP TABLE users--` }),
    400,
    'username_invalid',
  ],
  [
    'control characters in a name',
    'POST',
    '/v1/users',
    () => register({ username: 'ab\u0007cd' }),
    400,
    'username_invalid',
  ],
  [
    'control characters in a first name',
    'POST',
    '/v1/users',
    () => register({ firstName: 'A\u0000B' }),
    400,
    'invalid_request',
  ],
  [
    'a zero-width character',
    'POST',
    '/v1/users',
    () => register({ username: 'ab\u200bcd' }),
    400,
    'username_invalid',
  ],
  [
    'a bidi override',
    'POST',
    '/v1/users',
    () => register({ username: 'ab\u202ecd' }),
    400,
    'username_invalid',
  ],
  [
    'mixed scripts',
    'POST',
    '/v1/users',
    () => register({ username: 'p\u0430ypal' }),
    400,
    'username_invalid',
  ],
  [
    'a common password',
    'POST',
    '/v1/users',
    () => register({ password: 'password1' }),
    400,
    'weak_password',
  ],
  [
    'a short password',
    'POST',
    '/v1/users',
    () => register({ password: 'x7$kQ9a' }),
    400,
    'weak_password',
  ],
  [
    'no e-mail address',
    'POST',
    '/v1/users',
    () => register({ email: 'nobody' }),
    400,
    'invalid_request',
  ],
  [
    'an unknown field',
    'POST',
    '/v1/users',
    () => register({ role: 'operator' }),
    400,
    'invalid_request',
  ],
  [
    'oneself as peer',
    'POST',
    '/v1/conversations',
    ({ ann }) => ({ kind: 'direct', userIds: [ann.id] }),
    400,
    'invalid_request',
  ],
  [
    'an unknown peer',
    'POST',
    '/v1/conversations',
    () => ({ kind: 'direct', userIds: [randomUUID()] }),
    404,
    'not_found',
  ],
  [
    'a foreign device',
    'POST',
    '/v1/connections',
    ({ bob }) => ({ deviceId: bob.deviceId }),
    403,
    'forbidden',
  ],
  ['oneself as contact', 'PUT', '/v1/contacts/SELF', () => ({}), 400, 'invalid_request'],
  ['an unknown contact', 'PUT', `/v1/contacts/${randomUUID()}`, () => ({}), 404, 'not_found'],
  ['a path that does not exist', 'POST', '/v1/nothing', () => ({}), 404, 'not_found'],
];
