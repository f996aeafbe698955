import { setFlagsFromString } from 'node:v8';

/**
 * How much the heap may grow before V8 marks all of it, in percent: it may double. V8's own choice
 * for a small heap leaves a few megabytes, which the buffers of sockets fill within a second
 * (decision 0019).
 */
const HEAP_GROWTH_PERCENT = 100;

/** Sets how this process' heap grows; V8 reads it at each collection. */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
}
