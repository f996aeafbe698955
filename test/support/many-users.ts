import { createHash, randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { seedUsers } from '../../tools/load/seed-users';
import { signAccessToken } from '../../tools/load/tokens';
import type { Stack } from '../../tools/stack/stack';
import { uuidv7 } from 'uuidv7';
import { ChatUser } from './chat-user';

/** Makes users by rows alone: nobody can log in as them. Their ids. */
export async function manyUsers(databaseUrl: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidv7());
  const sql = new Client({ connectionString: databaseUrl });
  await sql.connect();
  try {
    await sql.query(
      `INSERT INTO users (id, username, username_key, email, email_key, first_name, password_hash)
       SELECT u, u, u, u, u, 'Many', '' FROM unnest($1::uuid[]) u`,
      [ids],
    );
  } finally {
    await sql.end();
  }
  return ids;
}

/** Users who are logged in on one device each, without a password: half of them ask the second gateway. */
export async function manyChatUsers(stack: Stack, count: number): Promise<ChatUser[]> {
  const seeded = await seedUsers(stack, count, new AbortController().signal);
  return seeded.map(({ userId, deviceId }, n) => {
    const [first, ...others] = stack.gatewayUrls;
    const user = new ChatUser(n % 2 === 0 ? stack.gatewayUrls : [...others, first!], userId);
    const token = { userId, deviceId, nowMs: Date.now(), lifetimeSeconds: 900 };
    return Object.assign(user, {
      id: userId,
      deviceId,
      accessToken: signAccessToken(stack.jwtSecret, token),
    });
  });
}

/** A refresh token of each user's device, as a login would have left it. */
export async function refreshTokens(databaseUrl: string, users: ChatUser[]): Promise<string[]> {
  const tokens = users.map(() => randomBytes(32).toString('base64url'));
  const hashes = tokens.map((token) => createHash('sha256').update(token).digest());
  const sql = new Client({ connectionString: databaseUrl });
  await sql.connect();
  try {
    await sql.query(
      `INSERT INTO refresh_tokens (hash, device_id, session_generation, sequence, expires_at)
       SELECT h, d.id, d.session_generation, d.refresh_sequence, now() + interval '1 day'
         FROM unnest($1::bytea[], $2::uuid[]) AS t (h, id) JOIN devices d ON d.id = t.id`,
      [hashes, users.map(({ deviceId }) => deviceId)],
    );
  } finally {
    await sql.end();
  }
  return tokens;
}
