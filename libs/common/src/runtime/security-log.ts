import type { Logger } from './logger';

/** What happened. */
export type SecurityEvent =
  | 'login_failed'
  | 'login_throttled'
  | 'login_disabled'
  | 'admin_refused'
  | 'broadcast_refused'
  | 'refresh_reused'
  | 'password_changed'
  | 'password_refused'
  | 'password_throttled'
  | 'device_removed'
  | 'ticket_refused';

/** Whom it concerns, as far as known. Must contain nothing secret. */
export interface SecuritySubject {
  userId?: string;
  deviceId?: string;
  /** The client's network address. */
  address?: string;
  /** The device that requested it. */
  by?: string;
}

/** Lines that may be written at once, and per second. */
const BURST = 100;
const PER_SECOND = 20;

/**
 * Events that show an attack or its end, one structured line `security` each. An attacker must not
 * fill the disk: lines above a rate are counted, and the next line says how many.
 */
export class SecurityLog {
  private tokens = BURST;
  private refilledAt: number;
  private suppressed = 0;

  constructor(
    private readonly logger: Pick<Logger, 'warn'>,
    /** Monotonic milliseconds. */
    private readonly clock: () => number = () => performance.now(),
  ) {
    this.refilledAt = clock();
  }

  /** Writes one line, or counts it. Never throws. */
  note(event: SecurityEvent, { userId, deviceId, address, by }: SecuritySubject): void {
    const now = this.clock();
    const earned = ((now - this.refilledAt) / 1000) * PER_SECOND;
    this.tokens = Math.min(BURST, this.tokens + earned);
    this.refilledAt = now;
    if (this.tokens < 1) {
      this.suppressed += 1;
      return;
    }
    this.tokens -= 1;
    const suppressed = this.suppressed > 0 ? this.suppressed : undefined;
    this.suppressed = 0;
    this.logger.warn({ event, userId, deviceId, address, by, suppressed }, 'security');
  }
}
