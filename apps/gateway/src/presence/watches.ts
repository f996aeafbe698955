import { TidingsError } from '@tidings/protocol/errors';
import type { Presence } from '@tidings/protocol/http';
import type { WatchFrame } from '@tidings/protocol/presence';
import type { Logger } from '@tidings/common/runtime/logger';
import type { LaneMetrics } from '../lanes/lane.metrics';
import type { Lanes } from '../lanes/lanes';
import type { Connection } from '../socket/connection';
import type { WatchFrames } from '../socket/frame-router';
import { textFrame } from '../socket/text-frame';
import type { WriteQueue } from '../socket/write-queue';
import type { PresenceFrameMetrics } from './presence.metrics';
import type { SeenPresence } from './seen-presence';
import { WatchList } from './watch-list';
import type { WatchedUsers } from './watched-users';

/** Users on the lists of all sockets of a gateway; a list beyond it is refused. */
export const MAX_PAIRS = 300_000;
const BUSY_RETRY_MS = 5_000;
/** Sockets whose lists are looked at at a time. */
const LOOKS = 8;
/** A look that failed is tried again after this time and up to twice as much, milliseconds. */
const RETRY_MS = 500;
/** Every list is looked at again within this time: what got lost on the way is made up for. */
const LOOK_AGAIN_MS = 300_000;
const STEP_MS = 1_000;
/** While presence is shed a user's changes are told once in this time, the latest of them; milliseconds. */
const SHED_EVERY_MS = 10_000;
/** Users whose latest change is told in one step when the lane is given back: not all at once. */
const STEP_USERS = 2_000;

export interface WatchesParts {
  seen: Pick<SeenPresence, 'get'>;
  users: Pick<WatchedUsers, 'add' | 'registered' | 'remove'>;
  writes: WriteQueue;
  metrics: Pick<PresenceFrameMetrics, 'passedOver' | 'pushed' | 'lookFailed'>;
  lanes: Pick<Lanes, 'sheds'>;
  laneMetrics: Pick<LaneMetrics, 'joined'>;
  logger: Pick<Logger, 'debug'>;
  /** Monotonic milliseconds. */
  clock: () => number;
  random: () => number;
}

/** The sockets that watch one user, and the last change that came while they did. */
interface Watchers {
  sockets: Map<Connection, WatchList>;
  latest: Presence | null;
  /** When a change was told last, monotonic milliseconds. */
  toldAt: number;
}

/**
 * Who of this gateway's sockets watches whom. A user is registered in Redis before they are looked at,
 * so no change gets lost between the look and the first push. What a viewer may see is judged by each
 * look, and by nothing else.
 */
export class Watches implements WatchFrames {
  private readonly lists = new Map<Connection, WatchList>();
  private readonly byUser = new Map<string, Watchers>();
  /** The sockets with a list, by whose they are. */
  private readonly byViewer = new Map<string, Set<Connection>>();
  private readonly queue = new Set<Connection>();
  /** Users whose latest change has not been told: presence is shed, or was. */
  private readonly untold = new Set<string>();
  private running = 0;
  private pairs = 0;
  private retry: NodeJS.Timeout | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** Those that have a turn in this round of looking again. */
  private round: Connection[] = [];
  private perStep = 0;

  constructor(
    private readonly parts: WatchesParts,
    private readonly maxPairs = MAX_PAIRS,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      this.tellSome();
      // nobody has asked for these, and each would tell the latest at once
      if (!this.parts.lanes.sheds('presence')) this.lookAgainAtSome();
    }, STEP_MS).unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
    if (this.retry) clearTimeout(this.retry);
    this.timer = this.retry = null;
    this.queue.clear();
  }

  /** Users on the lists of all sockets. */
  get size(): number {
    return this.pairs;
  }

  /** Takes a list; its answer follows. */
  handle(connection: Connection, frame: WatchFrame): void {
    const list = this.lists.get(connection) ?? new WatchList();
    const wanted = new Set(frame.userIds).size;
    if (this.pairs - list.users.size + wanted > this.maxPairs) {
      this.parts.metrics.passedOver('busy');
      const error = new TidingsError('busy', { retryAfterMs: BUSY_RETRY_MS });
      this.parts.writes.refuse(connection, frame.type, error, { ref: frame.ref });
      return;
    }
    const { added, removed } = list.replace(frame.userIds);
    for (const userId of removed) this.forget(connection, userId);
    for (const userId of added) this.watchersOf(userId).sockets.set(connection, list);
    this.pairs += added.length - removed.length;
    if (list.users.size === 0) this.drop(connection);
    else {
      this.keep(connection, list);
      this.look(connection);
    }
  }

  /** Refuses a list that came too soon; the one before it stays. */
  limited(connection: Connection, { ref, type }: WatchFrame, error: TidingsError): void {
    this.parts.metrics.passedOver('rate');
    this.parts.writes.refuse(connection, type, error, { ref });
  }

  /** A socket has closed: its list ends. */
  closed(connection: Connection): void {
    const list = this.lists.get(connection);
    if (!list) return;
    for (const userId of list.users.keys()) this.forget(connection, userId);
    this.pairs -= list.users.size;
    this.drop(connection);
  }

  /** A watched user's presence has changed. */
  changed(presence: Presence): void {
    const watchers = this.byUser.get(presence.userId);
    if (!watchers) return;
    const { latest } = watchers;
    if (latest && latest.version >= presence.version) return;
    watchers.latest = presence;
    const { lanes, laneMetrics } = this.parts;
    if (lanes.sheds('presence') && !this.isDue(watchers)) {
      this.untold.add(presence.userId);
      laneMetrics.joined('presence');
    } else this.tell(watchers, presence);
  }

  /** Tells what is due of the changes that were put off; once a second. */
  tellSome(): void {
    let left = STEP_USERS;
    const shed = this.parts.lanes.sheds('presence');
    for (const userId of this.untold) {
      const watchers = this.byUser.get(userId);
      if (watchers?.latest && shed && !this.isDue(watchers)) continue;
      if (watchers?.latest) this.tell(watchers, watchers.latest);
      else this.untold.delete(userId);
      if (--left === 0) return;
    }
  }

  private isDue({ toldAt }: Watchers): boolean {
    return this.parts.clock() - toldAt >= SHED_EVERY_MS;
  }

  private tell(watchers: Watchers, presence: Presence): void {
    this.untold.delete(presence.userId);
    watchers.toldAt = this.parts.clock();
    let frame: Buffer | null = null;
    for (const [connection, list] of watchers.sockets) {
      if (!list.users.get(presence.userId)?.changed(presence)) continue;
      frame ??= frameOf(presence);
      this.parts.writes.push(connection, frame);
      this.parts.metrics.pushed();
    }
  }

  /** Who may see this user, or whom they may see, has changed. */
  judgeAgain(userId: string): void {
    for (const connection of this.byViewer.get(userId) ?? []) {
      this.lists.get(connection)?.lookAtAll();
      this.look(connection);
    }
    for (const [connection, list] of this.byUser.get(userId)?.sockets ?? []) {
      list.toLook.add(userId);
      this.look(connection);
    }
  }

  /** Changes may have got lost: all lists are looked at again. */
  lookAtAll(): void {
    for (const [connection, list] of this.lists) {
      list.lookAtAll();
      this.look(connection);
    }
  }

  private keep(connection: Connection, list: WatchList): void {
    this.lists.set(connection, list);
    const { userId } = connection;
    const sockets = this.byViewer.get(userId) ?? new Set();
    this.byViewer.set(userId, sockets.add(connection));
  }

  private drop(connection: Connection): void {
    this.lists.delete(connection);
    this.queue.delete(connection);
    const sockets = this.byViewer.get(connection.userId);
    sockets?.delete(connection);
    if (sockets?.size === 0) this.byViewer.delete(connection.userId);
  }

  private watchersOf(userId: string): Watchers {
    const known = this.byUser.get(userId);
    if (known) return known;
    const watchers: Watchers = { sockets: new Map(), latest: null, toldAt: -Infinity };
    this.byUser.set(userId, watchers);
    this.parts.users.add(userId);
    return watchers;
  }

  private forget(connection: Connection, userId: string): void {
    const watchers = this.byUser.get(userId);
    watchers?.sockets.delete(connection);
    if (watchers?.sockets.size !== 0) return;
    this.byUser.delete(userId);
    this.untold.delete(userId);
    this.parts.users.remove(userId);
  }

  private look(connection: Connection): void {
    this.queue.add(connection);
    this.run();
  }

  private run(): void {
    if (this.retry) return;
    for (const connection of this.queue) {
      if (this.running >= LOOKS) return;
      const list = this.lists.get(connection);
      if (list?.looking) continue;
      this.queue.delete(connection);
      if (!list || list.toLook.size === 0) continue;
      this.running += 1;
      list.looking = true;
      void this.lookAt(connection, list).finally(() => {
        this.running -= 1;
        list.looking = false;
        this.run();
      });
    }
  }

  /** Never rejects: what could not be looked at is, later. */
  private async lookAt(connection: Connection, list: WatchList): Promise<void> {
    const userIds = [...list.toLook];
    list.toLook.clear();
    try {
      await this.parts.users.registered(userIds);
      const sightings = await this.parts.seen.get(connection.userId, userIds);
      for (const sighting of sightings) {
        const { userId } = sighting.presence;
        const latest = this.byUser.get(userId)?.latest;
        const isNewer = latest && latest.version > sighting.presence.version;
        const newest = isNewer ? { ...sighting, presence: latest } : sighting;
        const shown = list.users.get(userId)?.looked(newest);
        if (!shown) continue;
        this.parts.writes.push(connection, frameOf(shown));
        this.parts.metrics.pushed();
      }
    } catch (error) {
      this.parts.metrics.lookFailed();
      this.parts.logger.debug({ err: error }, 'watched users could not be looked at');
      for (const userId of userIds) if (list.users.has(userId)) list.toLook.add(userId);
      if (this.lists.has(connection)) this.queue.add(connection);
      this.pause();
    }
  }

  private pause(): void {
    if (this.retry) return;
    const ms = RETRY_MS * (1 + this.parts.random());
    this.retry = setTimeout(() => {
      this.retry = null;
      this.run();
    }, ms).unref();
  }

  private lookAgainAtSome(): void {
    if (this.round.length === 0) {
      this.round = [...this.lists.keys()];
      this.perStep = Math.ceil((this.round.length * STEP_MS) / LOOK_AGAIN_MS);
    }
    for (const connection of this.round.splice(0, this.perStep)) {
      this.lists.get(connection)?.lookAtAll();
      if (this.lists.has(connection)) this.look(connection);
    }
  }
}

function frameOf(presence: Presence): Buffer {
  return textFrame(JSON.stringify({ type: 'presence', ...presence }));
}
