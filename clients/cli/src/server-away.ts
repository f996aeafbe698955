import { NetworkError, TidingsError } from '@tidings/sdk';

/** Refusals by which a server that can be reached says that it cannot answer now. */
const NOT_NOW: ReadonlySet<string> = new Set(['unavailable', 'busy', 'internal']);

/** Whether there was no answer, but may be one later: nobody is there, or what a gateway asks is away. */
export function isAway(error: unknown): boolean {
  if (error instanceof NetworkError) return true;
  return error instanceof TidingsError && NOT_NOW.has(error.code);
}
