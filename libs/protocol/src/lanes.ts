import { z } from 'zod';

/**
 * What a gateway does less of while it has too much to do, in this order: `typing` is dropped, of
 * `presence` and `receipts` only the latest is told, later. Messages are in no lane.
 */
export const LANES = ['typing', 'presence', 'receipts'] as const;
export type Lane = (typeof LANES)[number];

/**
 * Server → client: the lanes that this gateway sheds from now on; none: all is normal. It comes with
 * each change, and right after `welcome` when there is one. Without it a connection begins as normal.
 */
export const shedFrame = z.object({ type: z.literal('shed'), lanes: z.array(z.enum(LANES)) });
export type ShedFrame = z.infer<typeof shedFrame>;
