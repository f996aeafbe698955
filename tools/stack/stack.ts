import { mkdirSync } from 'node:fs';
import { RunningStack } from './running-stack';
import type { Stack, StackOptions } from './stack-types';

export type { ProcessHandle } from './server-handle';
export type { NodeHandle } from './service-node';
export type { Stack, StackOptions } from './stack-types';

/**
 * Starts servers and services; resolves when every service is ready. On failure everything that runs is stopped.
 * @throws StackError with a sentence for the person at the terminal.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  mkdirSync(options.dir, { recursive: true });
  const stack = new RunningStack(options);
  try {
    await stack.start();
    return stack;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
