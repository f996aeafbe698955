import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { StackError } from './paths';

/** Random secrets of one development stack, base64url. */
export interface Secrets {
  jwtSecret: string;
  clusterSecret: string;
}

const SECRET_BYTES = 48;

function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/**
 * The secrets in `file`, made at the first call and readable by the owner only.
 * @throws StackError when the file is damaged.
 */
export function ensureSecrets(file: string): Secrets {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    const secrets: Secrets = { jwtSecret: newSecret(), clusterSecret: newSecret() };
    const making = `${file}.${process.pid}`;
    writeFileSync(making, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
    renameSync(making, file);
  }
  const found = parse(readFileSync(file, 'utf8'));
  if (found === undefined)
    throw new StackError(`${file} is damaged: delete it (all logins end) and start again.`);
  return found;
}

/** The password in `file`, made at the first call and readable by the owner only. */
export function ensurePassword(file: string, given?: string): string {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, given ?? randomBytes(24).toString('base64url'), { mode: 0o600 });
  }
  return readFileSync(file, 'utf8').trim();
}

function parse(text: string): Secrets | undefined {
  try {
    const { jwtSecret, clusterSecret } = JSON.parse(text) as Partial<Secrets>;
    if (typeof jwtSecret !== 'string' || typeof clusterSecret !== 'string') return undefined;
    return { jwtSecret, clusterSecret };
  } catch {
    return undefined;
  }
}
