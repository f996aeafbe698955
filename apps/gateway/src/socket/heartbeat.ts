import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { heartbeatStep, SILENT_HEARTBEATS } from './liveness';
import { TimerWheel } from './timer-wheel';
import type { Connection } from './connection';

/** Ticks per heartbeat: a silent socket is found at most one tick late. */
const TICKS_PER_HEARTBEAT = 20;
/** Slots over the longest deadline, so that it lies within one turn of the wheel. */
const SPARE_SLOTS = 2;

/** Pings every connection and finds the silent ones, with one timer for all. */
export class Heartbeat {
  private readonly wheel = new TimerWheel<Connection>(
    SILENT_HEARTBEATS * TICKS_PER_HEARTBEAT + SPARE_SLOTS,
  );
  private readonly tickMs: number;
  private tickedAt: number;
  /** Nobody counts as silent since before this time. */
  private grace = -Infinity;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly heartbeatMs: number,
    private readonly clock: () => number,
    private readonly hooks: {
      close(connection: Connection, code: number): void;
      /** Visiting this connection threw: notes it and closes the connection. */
      failed(connection: Connection, error: unknown): void;
    },
  ) {
    this.tickMs = heartbeatMs / TICKS_PER_HEARTBEAT;
    this.tickedAt = clock();
  }

  start(): void {
    this.tickedAt = this.clock();
    this.timer = setInterval(() => this.tick(), this.tickMs);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }

  /** Watches a new connection until it has ended. */
  watch(connection: Connection): void {
    this.wheel.schedule(connection, TICKS_PER_HEARTBEAT);
  }

  /** Visits whoever is due by the clock; public for its specification. */
  tick(): void {
    const now = this.clock();
    // This process stood still (stopped, starved): its clients are not to blame for the silence.
    if (now - this.tickedAt > this.heartbeatMs / 2) {
      this.grace = now - this.heartbeatMs;
      this.tickedAt = Math.max(this.tickedAt, now - this.heartbeatMs);
    }
    while (now - this.tickedAt >= this.tickMs) {
      this.tickedAt += this.tickMs;
      for (const connection of this.wheel.advance()) {
        if (!connection.ended) this.visitOne(connection, now);
      }
    }
  }

  private visitOne(connection: Connection, now: number): void {
    try {
      this.visit(connection, now);
    } catch (error) {
      this.hooks.failed(connection, error);
    }
  }

  private visit(connection: Connection, now: number): void {
    connection.lastSeenAt = Math.max(connection.lastSeenAt, this.grace);
    const step = heartbeatStep(connection, now, this.heartbeatMs);
    if (step.act === 'close') {
      this.hooks.close(connection, CLOSE_CODES.heartbeatMissed);
      return;
    }
    if (step.act === 'ping') {
      connection.lastPingAt = now;
      connection.socket.ping();
    }
    this.wheel.schedule(connection, step.againInMs / this.tickMs);
  }
}
