import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { DeviceLogins } from '@tidings/common/redis/logins';
import type { Routes } from '@tidings/common/redis/routes';
import type { Logger } from '@tidings/common/runtime/logger';
import type { Connection } from './connection';
import type { ConnectionTable } from './connection-table';
import { resyncFrameText } from './server-frames';
import type { WriteQueue } from './write-queue';
import { pause } from '@tidings/common/runtime/waiting';

/** Every connection's route is renewed once in this many steps, one step each second. */
const RENEW_STEPS = 20;
const STEP_MS = 1_000;
/** Routes per round trip, and the pause between round trips when all are written anew. */
const BATCH = 200;
const PACE_MS = 20;
const RETRY_MS = 300;
/** Devices whose login is asked from storage in one step. */
const MAX_ASKED = 50;
/** Clients spread their `sync` over this time, milliseconds. */
const RESYNC_WITHIN_MS = 2_000;

export interface RouteKeeperParts {
  gatewayId: string;
  bootId: () => string;
  /** While another boot id is on its way, nothing is written under the present one. */
  rebooting: () => boolean;
  routes: Routes;
  logins: DeviceLogins;
  /** Whether a login is valid by storage's word; throws when nobody can tell. */
  isLoggedIn: (connection: Connection) => Promise<boolean>;
  /** What the socket of a login that has ended is closed with. Never rejects. */
  closeOf: (connection: Connection) => Promise<{ code: number; reason: string }>;
  table: ConnectionTable;
  writes: WriteQueue;
  logger: Logger;
  close(connection: Connection, code: number, reason: string): void;
  /** Its route was written anew: Redis may have lost more than that. */
  written(connection: Connection): void;
}

/** Keeps the routes of this gateway's connections alive, and closes those that lost theirs. */
export class RouteKeeper {
  private timer: NodeJS.Timeout | null = null;
  /** The connections of this round, as they were when it began, and how many had their turn. */
  private round: readonly Connection[] = [];
  private done = 0;
  private busy = false;

  constructor(private readonly parts: RouteKeeperParts) {}

  start(): void {
    this.timer = setInterval(() => void this.step(), STEP_MS).unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** Renews the next part of the routes. Never rejects; without Redis it does nothing. */
  async step(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      const part = this.nextPart();
      for (let i = 0; i < part.length; i += BATCH) await this.renew(part.slice(i, i + BATCH));
    } catch (error) {
      this.parts.logger.debug({ err: error }, 'routes not renewed');
    } finally {
      this.busy = false;
    }
  }

  /**
   * Writes all routes anew under the present boot id, paced, and tells each client to sync once its
   * route stands. Ends early when `stale` says that yet another boot id has come. Never rejects.
   */
  async announce(stale: () => boolean): Promise<void> {
    const all = [...this.parts.table.all()];
    for (let i = 0; i < all.length && !stale();) {
      const batch = all.slice(i, i + BATCH).filter((c) => !c.ended && c.bootId !== null);
      try {
        await this.write(batch, 'the way to you was lost');
        i += BATCH;
        await pause(PACE_MS);
      } catch {
        await pause(RETRY_MS);
      }
    }
  }

  /**
   * A round ends whatever comes meanwhile: connections that are opened faster than routes are renewed
   * must not keep the old ones from their turn.
   */
  private nextPart(): Connection[] {
    if (this.done >= this.round.length) {
      this.round = [...this.parts.table.all()];
      this.done = 0;
    }
    const from = this.done;
    this.done += Math.ceil(this.round.length / RENEW_STEPS);
    return this.round.slice(from, this.done).filter((c) => !c.ended && c.bootId !== null);
  }

  private async renew(batch: Connection[]): Promise<void> {
    const { routes, gatewayId } = this.parts;
    const renewed = await routes.renew(batch.map((c) => c.route(gatewayId, c.bootId ?? '')));
    const lost = batch.filter((c, i) => renewed[i] === false && !c.ended);
    if (!this.parts.rebooting()) await this.write(lost, 'the way to you was lost');
    await this.checkLogins(batch.filter((c) => !c.ended));
  }

  /** Writes routes where no newer one is stored; a newer one ends the connection. */
  private async write(batch: Connection[], reason: string): Promise<void> {
    const { routes, gatewayId, writes } = this.parts;
    if (batch.length === 0) return;
    const bootId = this.parts.bootId();
    const results = await routes.putAll(batch.map((c) => c.route(gatewayId, bootId)));
    const resync = resyncFrameText(reason, RESYNC_WITHIN_MS);
    batch.forEach((connection, i) => {
      if (!results[i]?.written) {
        const code = CLOSE_CODES.sameDeviceElsewhere;
        this.parts.close(connection, code, 'this device is connected elsewhere');
        return;
      }
      connection.bootId = bootId;
      if (connection.ended)
        void routes.remove(connection.route(gatewayId, bootId)).catch(() => false);
      else if (connection.welcomed) {
        writes.send(connection, resync);
        this.parts.written(connection);
      }
    });
  }

  private async checkLogins(batch: Connection[]): Promise<void> {
    const generations = await this.parts.logins.getAll(batch);
    const unknown: Connection[] = [];
    const ended: Connection[] = [];
    batch.forEach((connection, i) => {
      const generation = generations[i] ?? null;
      if (generation === null) unknown.push(connection);
      else if (generation !== connection.sessionGeneration) ended.push(connection);
    });
    await Promise.all([
      ...ended.map((connection) => this.logOut(connection)),
      ...unknown.slice(0, MAX_ASKED).map(async (connection) => {
        if (await this.parts.isLoggedIn(connection).catch(() => true)) return;
        await this.logOut(connection);
      }),
    ]);
  }

  private async logOut(connection: Connection): Promise<void> {
    const { code, reason } = await this.parts.closeOf(connection);
    this.parts.close(connection, code, reason);
  }
}
