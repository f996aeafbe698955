import type { ProcessHandle, Stack } from '../../../tools/stack/stack';
import { downFor } from '../fault';

/** A process that is killed, and started again. */
export interface Victim {
  name: string;
  of(stack: Stack): ProcessHandle & { restart(): Promise<void> };
}

/** Every process of a stack. */
export const VICTIMS: readonly Victim[] = [
  { name: 'gateway', of: (stack) => stack.node('gateway-1') },
  { name: 'session', of: (stack) => stack.node('session-1') },
  { name: 'storage', of: (stack) => stack.node('storage-1') },
  { name: 'presence', of: (stack) => stack.node('presence-1') },
  { name: 'Redis', of: (stack) => stack.redis },
  { name: 'Kafka', of: (stack) => stack.kafka },
  { name: 'PostgreSQL', of: (stack) => stack.postgres },
];

/** When people type, seen from the death of a process. */
export const MOMENTS = ['before', 'at', 'after'] as const;
export type Moment = (typeof MOMENTS)[number];

/** What was typed is under way by then, milliseconds. */
const UNDER_WAY_MS = 30;
/** How long it is known by then that nobody answers, milliseconds. */
const GONE_MS = 1_000;
/** How long the process stays away at least, milliseconds. */
const DOWN_MS = 2_500;

/** Kills a process by SIGKILL, lets people type before, at or after that, and brings it back. */
export async function killedWhile(
  victim: ReturnType<Victim['of']>,
  moment: Moment,
  typing: () => Promise<void>,
): Promise<void> {
  let typed: Promise<void> | undefined;
  if (moment === 'before') {
    typed = typing();
    await downFor(UNDER_WAY_MS);
  }
  const dead = victim.kill('SIGKILL');
  if (moment === 'at') typed = typing();
  await dead;
  const died = performance.now();
  if (moment === 'after') {
    await downFor(GONE_MS);
    typed = typing();
  }
  await downFor(DOWN_MS - (performance.now() - died));
  await victim.restart();
  await typed;
}
