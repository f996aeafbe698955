import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { uuid } from '@tidings/common/contracts/ids';
import { StackError, projectRoot } from '../stack/paths';
import { runProgram } from '../stack/run-program';
import { childEnvironment, entryFile } from '../stack/service-node';
import type { Target } from './target';

const seeded = z.array(z.object({ userId: uuid, deviceId: uuid }));
/** A user and its only device, logged in with session generation 1. */
export type SeededUser = z.infer<typeof seeded>[number];

const SEED_TIMEOUT_MS = 300_000;

/**
 * Makes sure that the load's users exist, by storage's own `seed` command: rows without hashing a
 * password each.
 * @throws StackError with what the command printed.
 */
export async function seedUsers(
  target: Target,
  count: number,
  abort: AbortSignal,
): Promise<SeededUser[]> {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-seed-'));
  const file = join(dir, 'users.json');
  try {
    const entry = entryFile(join(projectRoot(), 'dist'), 'storage');
    const args = [entry, 'seed', '--users', String(count), '--prefix', 'load', '--out', file];
    const result = await runProgram(process.execPath, args, {
      env: childEnvironment({
        NODE_ID: 'load-seed',
        KAFKA_BROKERS: target.brokers,
        REDIS_URL: target.redisUrl,
        DATABASE_URL: target.databaseUrl,
        // nobody logs in with it: the tokens are signed here
        SEED_PASSWORD: randomBytes(24).toString('base64url'),
      }),
      timeoutMs: SEED_TIMEOUT_MS,
      abort,
    });
    if (result.code !== 0) {
      throw new StackError(`The users of the load could not be made:\n${result.output.trimEnd()}`);
    }
    return seeded.parse(JSON.parse(readFileSync(file, 'utf8')));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
