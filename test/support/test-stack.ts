import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TEST_DIST_VARIABLE } from '../../tools/seeded/seeded-bug';
import { removeSharedPlace } from '../../tools/stack/server-user';
import { startStack, type Stack, type StackOptions } from '../../tools/stack/stack';

/** Where the services are that tests start; undefined: the product's build. */
export const TEST_DIST = process.env[TEST_DIST_VARIABLE];

/** Limits off: tests send faster than people do. */
export const LIMITS_OFF = {
  RATE_LIMITS: 'off',
  HTTP_RATE_PER_MINUTE: '0',
  AUTH_RATE_PER_MINUTE: '0',
  ADDRESS_CONNECTIONS: '0',
  CONNECT_RATE_PER_SECOND: '0',
  SHED_LOOP_DELAY_MS: '0',
  SHED_QUEUED_RECORDS: '0',
  SHED_INBOX_ENTRIES: '0',
  SHED_LAG_SECONDS: '0',
};

/** `POSTGRES_FSYNC=on`: commits reach the disk, as they do outside of tests. */
export const DURABLE = process.env['POSTGRES_FSYNC'] === 'on';

/** A whole stack in a temporary directory on free ports, and its end. */
export async function startTestStack(options: Partial<StackOptions> = {}): Promise<{
  stack: Stack;
  stop: () => Promise<void>;
}> {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-test-'));
  const stack = await startStack({
    distDir: TEST_DIST,
    durable: DURABLE || undefined,
    ...options,
    dir,
    ports: 'free',
    env: { LOG_LEVEL: 'info', ...LIMITS_OFF, ...options.env },
  });
  return {
    stack,
    stop: async () => {
      await stack.stop();
      if (process.env['KEEP_TEST_DATA'] !== undefined) return;
      // before the directory: its path is what names the other place
      removeSharedPlace(dir);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
