import type {
  Activity,
  ConnectionClosed,
  ConnectionLost,
  ConnectionOpened,
} from '@tidings/common/log-events/events';
import type { PresenceRules } from './rules';
import type { DeviceState, UserState } from './user-state';

/** Something that happened to a user, as the log tells it. */
export type PresenceEvent =
  | { kind: 'opened'; event: ConnectionOpened }
  | { kind: 'closed'; event: ConnectionClosed }
  | { kind: 'activity'; event: Activity }
  | { kind: 'lost'; event: ConnectionLost };

/** The same with its place and time in the log. */
export type DatedEvent = PresenceEvent & {
  epoch: number;
  offset: bigint;
  /** When the broker took it, Unix milliseconds: the clocks of gateways differ. */
  atMs: number;
};

/** Devices that have left of which the last connection is remembered. */
const MAX_ENDED = 20;
/** Two times of one act, one of them told later, may differ by this, milliseconds. */
const SAME_ACT_MS = 2_000;

/**
 * A user's state after an event. The order between the connections of one device is that of their
 * generations, whatever the order in which two gateways tell of them. `isBoot`: whether a boot holds
 * its gateway's lease: what another one tells is over, and it may not take it back. What was applied
 * before changes nothing.
 */
export function applyEvent(
  before: UserState,
  dated: DatedEvent,
  rules: PresenceRules,
  isBoot: (gatewayId: string, bootId: string) => boolean,
): UserState {
  if (wasApplied(before, dated)) return before;
  const state: UserState = {
    ...before,
    applied: { epoch: dated.epoch, offset: String(dated.offset) },
    devices: { ...before.devices },
    ended: { ...before.ended },
  };
  switch (dated.kind) {
    case 'opened':
    case 'activity':
      connected(state, dated, rules, isBoot(dated.event.gatewayId, dated.event.bootId));
      break;
    case 'closed':
      closed(state, dated, rules);
      break;
    case 'lost':
      lost(state, dated, rules);
      break;
  }
  return state;
}

/** Whether a record lies before what was applied last. */
function wasApplied(
  { applied }: UserState,
  { epoch, offset }: { epoch: number; offset: bigint },
): boolean {
  if (applied === null || applied.epoch < epoch) return false;
  return applied.epoch > epoch || BigInt(applied.offset) >= offset;
}

/** Awaits all devices of a boot that is gone; its gateway gave its last sign of life at `atMs`. */
export function loseBoot(
  state: UserState,
  { gatewayId, bootId }: { gatewayId: string; bootId: string },
  atMs: number,
  rules: PresenceRules,
): void {
  let any = false;
  for (const [deviceId, one] of Object.entries(state.devices)) {
    if (one.gatewayId !== gatewayId || one.bootId !== bootId) continue;
    any = true;
    if (one.awaitedUntilMs !== null) continue;
    const awaitedUntilMs = atMs + rules.announceMs + rules.graceMs + rules.slackMs;
    state.devices[deviceId] = { ...one, awaitedUntilMs };
  }
  if (any) seen(state, atMs);
}

/** A route named the boot when it died: its user was there, even if nothing was told of the connection. */
function lost(
  state: UserState,
  { event, atMs }: Extract<DatedEvent, { kind: 'lost' }>,
  rules: PresenceRules,
): void {
  const signAtMs = Math.min(Date.parse(event.at), atMs);
  loseBoot(state, event, signAtMs, rules);
  seen(state, signAtMs);
}

function connected(
  state: UserState,
  dated: Extract<DatedEvent, { kind: 'opened' | 'activity' }>,
  rules: PresenceRules,
  isBoot: boolean,
): void {
  const { event, atMs } = dated;
  const { deviceId, generation, gatewayId, bootId, connectionId } = event;
  const known = state.devices[deviceId];
  seen(state, atMs);
  if (event.activeMsAgo !== undefined) active(state, atMs - event.activeMsAgo, SAME_ACT_MS);
  const ended = state.ended[deviceId];
  if (ended !== undefined && !isNewer(generation, ended)) return;
  if (known && isNewer(known.generation, generation)) return;
  const awaited = known && (known.awaitedUntilMs === null || atMs < known.awaitedUntilMs);
  const mode = event.mode ?? (awaited ? known.mode : 'front');
  const isFresh = dated.kind === 'opened' && !dated.event.again && !awaited;
  // who opens the app, or brings it to the front, does something
  if (isFresh || (awaited && known.mode === 'background' && mode === 'front'))
    active(state, atMs, 0);
  const lost =
    known?.bootId === bootId && known.awaitedUntilMs !== null ? known.awaitedUntilMs : null;
  const awaitedUntilMs = isBoot ? null : (lost ?? atMs + rules.graceMs + rules.slackMs);
  state.devices[deviceId] = { gatewayId, bootId, connectionId, generation, mode, awaitedUntilMs };
}

function closed(
  state: UserState,
  { event, atMs }: Extract<DatedEvent, { kind: 'closed' }>,
  rules: PresenceRules,
): void {
  const { deviceId, generation, reason, silentMs = 0, activeMsAgo } = event;
  const known = state.devices[deviceId];
  const signAtMs = atMs - silentMs;
  seen(state, signAtMs);
  if (activeMsAgo !== undefined) active(state, atMs - activeMsAgo, SAME_ACT_MS);
  if (known && isNewer(known.generation, generation)) return;
  if (reason === 'client' || reason === 'ended') {
    delete state.devices[deviceId];
    end(state, deviceId, generation);
  } else if (known) {
    const awaitedUntilMs = signAtMs + rules.graceMs + rules.slackMs;
    const lost: DeviceState = { ...known, generation, awaitedUntilMs };
    state.devices[deviceId] = lost;
  }
}

function end(state: UserState, deviceId: string, generation: string): void {
  const before = state.ended[deviceId];
  // the last ones to end come last
  delete state.ended[deviceId];
  state.ended[deviceId] = before !== undefined && isNewer(before, generation) ? before : generation;
  const [oldest] = Object.keys(state.ended);
  if (Object.keys(state.ended).length > MAX_ENDED) delete state.ended[oldest!];
}

function seen(state: UserState, at: number): void {
  const atMs = Math.max(at, 0);
  state.lastSeenAtMs = Math.max(state.lastSeenAtMs ?? atMs, atMs);
}

/** Raises the user's clock, by no less than `least`. */
function active(state: UserState, at: number, leastMs: number): void {
  const atMs = Math.max(at, 0);
  if (state.activeAtMs === null || atMs > state.activeAtMs + leastMs) state.activeAtMs = atMs;
}

/** Generations are decimal numbers without leading zeros. */
function isNewer(one: string, other: string): boolean {
  return one.length === other.length ? one > other : one.length > other.length;
}
