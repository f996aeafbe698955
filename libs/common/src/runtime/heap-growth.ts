import { setFlagsFromString } from 'node:v8';

/**
 * The heap may double before V8 marks all of it, percent. V8's own choice for a small heap leaves a
 * few megabytes, which the buffers of sockets fill within a second (decision 0019).
 */
const HEAP_GROWTH_PERCENT = 100;

/** Lets the heap of this process grow as it should; V8 reads it at each collection. */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
}
