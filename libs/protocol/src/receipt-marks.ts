import { maxPosition } from './positions';

/** How far a member has received and read a conversation. "0": nothing. */
export interface Marks {
  delivered: string;
  read: string;
}

export const NO_MARKS: Marks = { delivered: '0', read: '0' };

/** The maximum of both; what was read was also delivered. Commutative, associative, idempotent. */
export function mergeMarks(a: Partial<Marks>, b: Partial<Marks>): Marks {
  const read = maxPosition(a.read ?? '0', b.read ?? '0');
  const delivered = maxPosition(a.delivered ?? '0', b.delivered ?? '0');
  return { delivered: maxPosition(delivered, read), read };
}

/** Whether `next` adds nothing to `known`. */
export function coversMarks(known: Marks, next: Partial<Marks>): boolean {
  const both = mergeMarks(known, next);
  return both.delivered === known.delivered && both.read === known.read;
}
