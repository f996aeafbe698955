import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { uuid } from '@tidings/protocol/ids';
import { StackError, projectRoot } from '../stack/paths';
import { runProgram } from '../stack/run-program';
import { childEnvironment } from '../stack/service-node';
import type { Target } from './target';

/** The servers that they are made in. */
type Servers = Pick<Target, 'brokers' | 'redisUrl' | 'databaseUrl'>;

const seeded = z.array(z.object({ userId: uuid, deviceId: uuid }));
/** A user and its only device, logged in with session generation 1. */
export type SeededUser = z.infer<typeof seeded>[number];

const SEED_TIMEOUT_MS = 300_000;

/**
 * Makes sure that the load's users exist, by rows, without hashing a password each.
 * @throws StackError with what the command printed.
 */
export function seedUsers(
  target: Servers,
  count: number,
  abort: AbortSignal,
): Promise<SeededUser[]> {
  return inSeedDir((file) => usersInto(target, { count, prefix: 'load', file }, abort));
}

/**
 * Makes sure that users exist who have `each` conversations of at least `messages` messages; the
 * histories go through the log.
 * @throws StackError with what a command printed.
 */
export function seedTalkers(
  target: Servers,
  plan: { count: number; each: number; messages: number; textBytes: number },
  abort: AbortSignal,
): Promise<SeededUser[]> {
  const { count, each, messages, textBytes } = plan;
  return inSeedDir(async (file) => {
    // other numbers, other users: those of another measurement have other conversations
    const users = await usersInto(target, { count, prefix: `talk${count}x${each}`, file }, abort);
    const sizes = ['--each', each, '--messages', messages, '--text', textBytes].map(String);
    await seedTool(target, ['conversations', '--users', file, ...sizes], abort);
    return users;
  });
}

async function inSeedDir<T>(work: (file: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-seed-'));
  try {
    return await work(join(dir, 'users.json'));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function usersInto(
  target: Servers,
  { count, prefix, file }: { count: number; prefix: string; file: string },
  abort: AbortSignal,
): Promise<SeededUser[]> {
  const args = ['users', '--users', String(count), '--prefix', prefix, '--out', file];
  await seedTool(target, args, abort);
  return seeded.parse(JSON.parse(readFileSync(file, 'utf8')));
}

async function seedTool(target: Servers, args: string[], abort: AbortSignal): Promise<void> {
  const program = join(projectRoot(), 'dist', 'tools', 'seed', 'main.js');
  const result = await runProgram(process.execPath, [program, ...args], {
    env: childEnvironment({
      NODE_ID: 'load-seed',
      KAFKA_BROKERS: target.brokers,
      REDIS_URL: target.redisUrl,
      DATABASE_URL: target.databaseUrl,
    }),
    timeoutMs: SEED_TIMEOUT_MS,
    abort,
  });
  if (result.code === 0) return;
  throw new StackError(`Seeding ${args[0]} failed:\n${result.output.trimEnd()}`);
}
