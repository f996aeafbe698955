import { randomBytes } from 'node:crypto';
import type { LoginAnswer } from '@tidings/protocol/http';
import { Client } from 'pg';
import { callApi, inParallel } from './api';
import type { Target } from './target';

/** Of a run's users, how many register and log in as people do; the others are rows and signed tokens. */
const REAL_SHARE = 0.05;
const REAL_MIN = 3;
const REAL_MAX = 50;
const CONCURRENCY = 4;

/** Addresses of the load's accounts end in this (RFC 2606: it reaches nobody). */
const MAIL_DOMAIN = 'example.invalid';
/** Names of seeded users: see `seed-users.ts`. */
const SEEDED = '^(load|talk[0-9]+x[0-9]+)-[0-9]{6}$';
const REAL = 'load-real';

const REMOVE_SQL = `DELETE FROM users
  WHERE email_key LIKE '%@${MAIL_DOMAIN}' AND (username_key ~ '${SEEDED}' OR username_key ~ '^${REAL}-')`;

/**
 * Registers and logs in through the public HTTP interface for a part of the users: seeded rows and
 * signed tokens would not see that nobody can log in. Gives how many did.
 * @throws ApiError when one of them could not.
 */
export async function logInForReal(
  target: Target,
  users: number,
  abort: AbortSignal,
): Promise<number> {
  const count = Math.min(REAL_MAX, Math.max(REAL_MIN, Math.ceil(users * REAL_SHARE)));
  await signUp(target.gateways, count, abort);
  return count;
}

/**
 * Registers new accounts and logs each of them in, over all gateways; in their order.
 * @throws ApiError when one of them could not.
 */
export async function signUp(
  gateways: readonly string[],
  count: number,
  abort: AbortSignal,
): Promise<LoginAnswer[]> {
  const run = randomBytes(5).toString('hex');
  const password = randomBytes(18).toString('base64url');
  const logins: LoginAnswer[] = [];
  await inParallel(count, CONCURRENCY, async (index) => {
    abort.throwIfAborted();
    const username = `${REAL}-${run}-${index}`;
    const base = gateways[index % gateways.length]!;
    const post = (path: string, body: object): Promise<unknown> =>
      callApi({ base, method: 'POST', path, token: '', body });
    const email = `${username}@${MAIL_DOMAIN}`;
    await post('/v1/users', { username, email, firstName: 'Load', password });
    logins[index] = (await post('/v1/auth/login', { username, password })) as LoginAnswer;
  });
  return logins;
}

/** Removes all accounts that this tool has made, with their devices; gives how many. */
export async function removeAccounts(target: Target): Promise<number> {
  const client = new Client({ connectionString: target.databaseUrl });
  await client.connect();
  try {
    return (await client.query(REMOVE_SQL)).rowCount ?? 0;
  } finally {
    await client.end();
  }
}
