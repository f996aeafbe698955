import type { DeviceMode } from '@tidings/protocol/presence';
import type { Patience } from './patience';
import type { PresenceRules } from './rules';

/** A device that is connected, or whose return is awaited. */
export interface DeviceState {
  gatewayId: string;
  bootId: string;
  connectionId: string;
  /** Connection generation, decimal: the fence between a device's connections. */
  generation: string;
  mode: DeviceMode;
  /** Its connection is lost, and until then it may come back; null: it is connected. */
  awaitedUntilMs: number | null;
}

/** What others are shown of a user. */
export interface PresenceWord {
  status: 'online' | 'away' | 'offline';
  lastSeenAtMs: number | null;
  activeAtMs: number | null;
}

/**
 * All that presence knows of a user. Times are Unix milliseconds by the clocks of the broker and of
 * Redis; the two clocks of the user only rise.
 */
export interface UserState {
  /** The record applied last: what is not behind it was applied. Null: none. */
  applied: { epoch: number; offset: string } | null;
  devices: Record<string, DeviceState>;
  /** Generation of the last connection of devices that have left: older events are no news. */
  ended: Record<string, string>;
  /** Last sign of life; null: never. */
  lastSeenAtMs: number | null;
  /** Last time that the user did something; null: never. */
  activeAtMs: number | null;
  /** What others were told last, and when; null: nothing that is known. */
  told: (PresenceWord & { atMs: number }) | null;
}

/** A user of whom only the clocks are known. */
export function unknownUser(clocks: {
  lastSeenAtMs: number | null;
  activeAtMs: number | null;
}): UserState {
  const { lastSeenAtMs, activeAtMs } = clocks;
  return { applied: null, devices: {}, ended: {}, lastSeenAtMs, activeAtMs, told: null };
}

/** What is to be done about a user now. */
export interface Judgement {
  state: UserState;
  /** What `state.told` says is new. */
  tells: boolean;
  /** When to judge again whatever happens; null: never. */
  dueAtMs: number | null;
}

/**
 * Judges what others are to be told of a user at this moment, and when to look again. Changes come at
 * most once in `rules.gapMs`; one that is taken back meanwhile is none.
 */
export function judge(
  before: UserState,
  nowMs: number,
  rules: PresenceRules,
  patience: Patience,
): Judgement {
  const until = ({ awaitedUntilMs }: DeviceState): number =>
    awaitedUntilMs === null ? Infinity : Math.max(awaitedUntilMs, patience.lossesFromMs);
  const there = Object.entries(before.devices).filter(([, one]) => nowMs < until(one));
  const state = { ...before, devices: Object.fromEntries(there) };
  const devices = there.map(([, one]) => one);
  const dues = devices.map(until);

  const told = before.told ?? null;
  const awayAtMs = (before.activeAtMs ?? -Infinity) + rules.awayMs;
  let status: PresenceWord['status'];
  if (devices.length === 0) {
    status = 'offline';
    if (nowMs < patience.offlineFromMs && told?.status !== 'offline') {
      // it may be connected where nobody has told of yet
      return { state, tells: false, dueAtMs: patience.offlineFromMs };
    }
  } else if (nowMs < awayAtMs && devices.some(({ mode }) => mode === 'front')) {
    status = 'online';
    dues.push(awayAtMs);
  } else status = 'away';

  const said: PresenceWord = {
    status,
    lastSeenAtMs: before.lastSeenAtMs,
    activeAtMs: before.activeAtMs,
  };
  let tells = false;
  if (told === null || shown(told) !== shown(said)) {
    const mayAtMs = told === null ? nowMs : told.atMs + rules.gapMs;
    if (nowMs >= mayAtMs) {
      tells = true;
      state.told = { ...said, atMs: nowMs };
    } else dues.push(mayAtMs);
  }
  const dueAtMs = Math.min(...dues);
  return { state, tells, dueAtMs: Number.isFinite(dueAtMs) ? dueAtMs : null };
}

/** What of a word others see: the times of somebody who is there say nothing. */
function shown({ status, lastSeenAtMs, activeAtMs }: PresenceWord): string {
  switch (status) {
    case 'online':
      return status;
    case 'away':
      return `away ${activeAtMs}`;
    case 'offline':
      return `offline ${lastSeenAtMs}`;
  }
}
