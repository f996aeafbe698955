import { parsedJson } from '@tidings/protocol/json';
import { stateFrame } from '@tidings/protocol/presence';
import { z } from 'zod';
import type { UserState } from './domain/user-state';

const word = z.object({
  status: z.enum(['online', 'away', 'offline']),
  lastSeenAtMs: z.number().nullable(),
  activeAtMs: z.number().nullable(),
});

const device = z.object({
  gatewayId: z.string(),
  bootId: z.string(),
  connectionId: z.string(),
  generation: z.string(),
  mode: stateFrame.shape.mode,
  awaitedUntilMs: z.number().nullable(),
});

const userState: z.ZodType<UserState> = z.object({
  applied: z.object({ epoch: z.number().int(), offset: z.string().regex(/^\d+$/) }).nullable(),
  devices: z.record(z.string(), device),
  ended: z.record(z.string(), z.string()),
  lastSeenAtMs: z.number().nullable(),
  activeAtMs: z.number().nullable(),
  told: word.extend({ atMs: z.number() }).nullable(),
});

/** A user's state as Redis has it; null: there is none, or another version has written it. */
export function storedState(text: string | null): UserState | null {
  return text === null ? null : (userState.safeParse(parsedJson(text)).data ?? null);
}
