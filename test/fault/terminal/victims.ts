import type { ProcessHandle, Stack } from '../../../tools/stack/stack';

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
