import type { GatewayLease } from '@tidings/common/redis/lease';
import {
  type IndexEntry,
  onBoot,
  type PresencePartitions,
} from '@tidings/common/redis/presence-partitions';
import type { PresenceStates, StoredPresence } from '@tidings/common/redis/presence-states';
import type { GatewayBoot } from '@tidings/common/redis/watchers';
import type { Defects } from '@tidings/common/runtime/defects';
import type { Logger } from '@tidings/common/runtime/logger';
import type { ChangeLog, ToldChange } from './change-log';
import { applyEvent, loseBoot, type DatedEvent } from './domain/apply-event';
import type { Clocks } from './domain/clocks';
import type { Patience } from './domain/patience';
import type { PresenceRules } from './domain/rules';
import { judge, unknownUser, type Judgement, type UserState } from './domain/user-state';
import type { LastSeenRepository } from './last-seen.repository';
import type { PresenceMetrics } from './presence.metrics';
import { storedState } from './stored-state';

/** Users that are read and written together. */
const AT_ONCE = 500;
/** How often users are read again whom somebody else wrote meanwhile. */
const ATTEMPTS = 4;
/** Without the database, whoever did something so lately has no clock that is later. Milliseconds. */
const LIVE_MS = 60_000;

/** What is to be done about a user, beside judging them by the time. */
export interface UserWork {
  /** What the log says, in its order. */
  events?: DatedEvent[];
  /** A boot of a gateway that is gone, with its last sign of life, Unix milliseconds. */
  lost?: { boot: GatewayBoot; atMs: number };
  /** What others were told last may not be in the log. */
  untold?: boolean;
}

export interface UserWriterParts {
  states: PresenceStates;
  partitions: Pick<PresencePartitions, 'index'>;
  leases: Pick<GatewayLease, 'holders'>;
  lastSeen: Pick<LastSeenRepository, 'find'>;
  changes: Pick<ChangeLog, 'append'>;
  rules: PresenceRules;
  metrics: Pick<PresenceMetrics, 'told' | 'conflict'>;
  defects: Pick<Defects, 'note'>;
  logger: Logger;
}

interface Step extends Judgement {
  userId: string;
  before: UserState;
  stored: StoredPresence;
  /** The state as it is to be stored; null: there is none. */
  text: string | null;
  work: UserWork;
}

/**
 * Writes users' presence. In this order, so that what gets lost on the way is found again: the indexes
 * that lead to the user, the state, the change into the log, what leads there no more. Whose change is
 * not in the log stays due.
 */
export class UserWriter {
  constructor(private readonly parts: UserWriterParts) {}

  /**
   * Does the work on these users of a partition, and judges them. Throws `RedisUnavailable`,
   * `OtherKeeper`, `NoKeeper`, and when somebody else goes on writing the same users.
   */
  async write(
    partition: number,
    term: string,
    work: ReadonlyMap<string, UserWork>,
    patience: (nowMs: number) => Patience,
  ): Promise<void> {
    const userIds = [...work.keys()];
    for (let i = 0; i < userIds.length; i += AT_ONCE) {
      let left = userIds.slice(i, i + AT_ONCE);
      for (let attempt = 0; left.length > 0; attempt++) {
        if (attempt >= ATTEMPTS) throw new Error('users are written by somebody else');
        left = await this.writeOnce(partition, term, left, work, patience);
      }
    }
  }

  /** Whoever was written by somebody else meanwhile. */
  private async writeOnce(
    partition: number,
    term: string,
    userIds: readonly string[],
    work: ReadonlyMap<string, UserWork>,
    patience: (nowMs: number) => Patience,
  ): Promise<string[]> {
    const { states, partitions, changes, metrics } = this.parts;
    const steps = await this.judgeAll(userIds, work, patience);
    await partitions.index(partition, term, steps.flatMap(entriesBefore));
    const writes = steps.flatMap((step) => {
      const { text } = step;
      return text === null || text === step.stored.state ? [] : [{ ...step, text }];
    });
    const versions = await states.write(
      writes.map(({ userId, stored, text, state, tells }) => ({
        userId,
        stamp: stored.stamp,
        state: text,
        tells,
        mayEnd: Object.keys(state.devices).length === 0,
      })),
    );
    const written = new Map(writes.map(({ userId }, i) => [userId, versions[i] ?? null]));
    const conflicts = new Set(writes.filter((_, i) => versions[i] === null).map((w) => w.userId));
    const done = steps.filter(({ userId }) => !conflicts.has(userId));
    const told = done.flatMap((step): ToldChange[] => {
      const { userId, state, stored, tells, work: one } = step;
      if (!state.told || (!tells && !one.untold)) return [];
      return [{ userId, word: state.told, version: written.get(userId) ?? stored.version }];
    });
    const inLog = await changes.append(told);
    await partitions.index(
      partition,
      term,
      done.flatMap((step) => entriesBehind(step, inLog)),
    );
    metrics.told(told.filter(({ userId }) => inLog.has(userId)).map(({ word }) => word.status));
    metrics.conflict(conflicts.size);
    return [...conflicts];
  }

  private async judgeAll(
    userIds: readonly string[],
    work: ReadonlyMap<string, UserWork>,
    patience: (nowMs: number) => Patience,
  ): Promise<Step[]> {
    const { states, rules, defects } = this.parts;
    const [{ stored, atUs }, isBoot] = await Promise.all([
      states.read(userIds),
      this.bootsOf([...work.values()]),
    ]);
    const nowMs = Math.floor(atUs / 1_000);
    const known = stored.map(({ state }) => storedState(state));
    const clocks = await this.clocksOf(
      userIds.filter((_, i) => known[i] === null),
      work,
      nowMs,
    );
    return userIds.flatMap((userId, i): Step[] => {
      const before = known[i] ?? unknownUser(clocks.get(userId) ?? NEVER);
      const one = work.get(userId) ?? {};
      try {
        if (known[i] === null && !one.events) {
          // an index names somebody of whom nothing is stored any more
          const nothing = { state: before, tells: false, dueAtMs: null, text: null };
          return [{ ...nothing, userId, before, stored: stored[i]!, work: one }];
        }
        const after = this.after(before, one, isBoot);
        const judgement = judge(after, nowMs, rules, patience(nowMs));
        const text = JSON.stringify(judgement.state);
        return [{ ...judgement, userId, before, stored: stored[i]!, text, work: one }];
      } catch (error) {
        // the next event tells it anew
        defects.note('record', error, { userId });
        return [];
      }
    });
  }

  private after(
    before: UserState,
    { events = [], lost }: UserWork,
    isBoot: (gatewayId: string, bootId: string) => boolean,
  ): UserState {
    const { rules } = this.parts;
    const applied = events.reduce(
      (state, event) => applyEvent(state, event, rules, isBoot),
      before,
    );
    if (!lost) return applied;
    const state = { ...applied, devices: { ...applied.devices } };
    loseBoot(state, lost.boot, lost.atMs, rules);
    return state;
  }

  /** Which boots hold their gateway's lease now. */
  private async bootsOf(
    work: readonly UserWork[],
  ): Promise<(gatewayId: string, bootId: string) => boolean> {
    const named = work.flatMap(({ events = [] }) => events.map(({ event }) => event.gatewayId));
    const gatewayIds = [...new Set(named)];
    const holders = await this.parts.leases.holders(gatewayIds);
    const held = new Map(gatewayIds.map((gatewayId, i) => [gatewayId, holders[i]]));
    return (gatewayId, bootId) => held.get(gatewayId) === bootId;
  }

  /** The clocks of users of whom Redis knows nothing. */
  private async clocksOf(
    userIds: readonly string[],
    work: ReadonlyMap<string, UserWork>,
    nowMs: number,
  ): Promise<ReadonlyMap<string, Clocks>> {
    if (userIds.length === 0) return new Map();
    try {
      return await this.parts.lastSeen.find(userIds);
    } catch (error) {
      const isOld = ({ atMs }: DatedEvent): boolean => nowMs - atMs > LIVE_MS;
      if (userIds.some((userId) => work.get(userId)?.events?.some(isOld))) throw error;
      this.parts.logger.debug({ err: error }, 'clocks are not known');
      return new Map();
    }
  }
}

const NEVER = { lastSeenAtMs: null, activeAtMs: null };

/** What has to lead to a user before they are written. */
function entriesBefore({ userId, before, state, tells, dueAtMs }: Step): IndexEntry[] {
  const entries: IndexEntry[] = [...boots(state)]
    .filter((boot) => !boots(before).has(boot))
    .map((boot) => ({ index: 'boots', member: `${boot}|${userId}`, score: 0 }));
  if (dueAtMs !== null) entries.push({ index: 'due', member: userId, score: dueAtMs });
  if (tells) entries.push({ index: 'untold', member: userId, score: 0 });
  entries.push(...risenClocks(userId, before, state));
  return entries;
}

/**
 * Leads to a user whose clocks have risen: before they are written, so that a crash loses nothing, and once more
 * behind it, for whoever kept them meanwhile has kept the clocks from before.
 */
function risenClocks(userId: string, before: UserState, state: UserState): IndexEntry[] {
  const { lastSeenAtMs, activeAtMs } = state;
  if (lastSeenAtMs === before.lastSeenAtMs && activeAtMs === before.activeAtMs) return [];
  return [{ index: 'clocks', member: userId, score: lastSeenAtMs ?? 0 }];
}

/** What leads no more to a user who was written, and what leads there still. */
function entriesBehind(
  { userId, before, state, tells, dueAtMs, work }: Step,
  inLog: ReadonlySet<string>,
): IndexEntry[] {
  const entries: IndexEntry[] = [...boots(before)]
    .filter((boot) => !boots(state).has(boot))
    .map((boot) => ({ index: 'boots', member: `${boot}|${userId}`, score: null }));
  if (work.lost)
    entries.push({ index: 'boots', member: onBoot(work.lost.boot, userId), score: null });
  if (dueAtMs === null) entries.push({ index: 'due', member: userId, score: null });
  if ((tells || work.untold) && (inLog.has(userId) || state.told === null)) {
    entries.push({ index: 'untold', member: userId, score: null });
  }
  entries.push(...risenClocks(userId, before, state));
  return entries;
}

/** The boots to which a user is connected. */
function boots({ devices }: UserState): Set<string> {
  const connected = Object.values(devices).filter(({ awaitedUntilMs }) => awaitedUntilMs === null);
  return new Set(connected.map(({ gatewayId, bootId }) => `${gatewayId}|${bootId}`));
}
