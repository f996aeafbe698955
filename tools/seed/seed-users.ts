import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Logger } from '@tidings/common/runtime/logger';
import { uuidv7 } from 'uuidv7';
import { PasswordHasher } from '../../apps/storage/src/accounts/password-hasher';
import { Database } from '../../apps/storage/src/database/database';
import { emailKey, usernameKey } from '../../apps/storage/src/domain/username';
import type { ToolEnv } from '../../apps/storage/src/storage.env';

/** What a load tool has to know of a seeded user. */
interface SeededUser {
  userId: string;
  username: string;
  deviceId: string;
}

/** Generation of the sessions of seeded devices: the load tool signs its tokens with it. */
const SEEDED_GENERATION = 1;
const USERS_PER_STATEMENT = 2_000;
const USERS_MAX = 1_000_000;

const USAGE = 'usage: main.js users --users N [--prefix load] [--out FILE]';

/** The command's arguments. Throws with the usage. */
function seedOptions(args: string[]): { users: number; prefix: string; out: string | null } {
  const { values } = parseArgs({
    args,
    options: {
      users: { type: 'string' },
      prefix: { type: 'string', default: 'load' },
      out: { type: 'string' },
    },
  });
  const users = Number(values.users);
  if (!Number.isInteger(users) || users < 1 || users > USERS_MAX) throw new Error(USAGE);
  usernameKey(nameOf(values.prefix, 0));
  return { users, prefix: values.prefix, out: values.out ?? null };
}

/**
 * Makes users for load tests, with one password hash for all and one logged-in device each, and
 * writes their ids to a file as JSON. Those that exist are used again. Never in production.
 */
export async function seed(env: ToolEnv, args: string[], logger: Logger): Promise<void> {
  if (env.NODE_ENV === 'production') throw new Error('users are not seeded in production');
  const { users, prefix, out } = seedOptions(args);
  // Without a password nobody can log in as them; the load tool signs its tokens itself.
  const hash = await new PasswordHasher().hash(randomBytes(24).toString('base64url'));
  const options = {
    url: env.DATABASE_URL,
    name: env.NODE_ID,
    connections: 2,
    statementWithin: 60_000,
  };
  const database = new Database(options, () => undefined);
  const seeded: SeededUser[] = [];
  try {
    for (let from = 0; from < users; from += USERS_PER_STATEMENT) {
      const count = Math.min(USERS_PER_STATEMENT, users - from);
      const names = Array.from({ length: count }, (_, i) => nameOf(prefix, from + i));
      seeded.push(...(await seedSome(database, names, hash)));
    }
  } finally {
    await database.close();
  }
  if (out !== null) writeFileSync(out, JSON.stringify(seeded), { mode: 0o600 });
  logger.info({ users: seeded.length, prefix }, 'users are seeded');
}

function nameOf(prefix: string, index: number): string {
  return `${prefix}-${String(index).padStart(6, '0')}`;
}

async function seedSome(database: Database, names: string[], hash: string): Promise<SeededUser[]> {
  const keys = names.map(usernameKey);
  const mails = names.map((name) => `${name}@example.invalid`);
  await database.rows(
    {
      text: `INSERT INTO users (id, username, username_key, email, email_key, first_name, password_hash)
             SELECT u.*, $6 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $2::text[]) u
             ON CONFLICT DO NOTHING`,
    },
    [names.map(() => uuidv7()), names, keys, mails, mails.map(emailKey), hash],
  );
  // A device per user, made once; later runs find it by its name.
  await database.rows(
    {
      text: `INSERT INTO devices (id, user_id, name, session_generation, refresh_sequence,
                                  confirmed_sequence, logged_in)
             SELECT gen_random_uuid(), u.id, 'seeded', $2, 1, 1, true FROM users u
             WHERE u.username_key = ANY ($1) AND NOT EXISTS (
               SELECT 1 FROM devices d WHERE d.user_id = u.id AND d.session_generation = $2)`,
    },
    [keys, SEEDED_GENERATION],
  );
  return database.rows<SeededUser & Record<string, string>>(
    {
      text: `SELECT u.id AS "userId", u.username, d.id AS "deviceId"
             FROM users u JOIN devices d ON d.user_id = u.id AND d.session_generation = $2
             WHERE u.username_key = ANY ($1) ORDER BY u.username_key`,
    },
    [keys, SEEDED_GENERATION],
  );
}
