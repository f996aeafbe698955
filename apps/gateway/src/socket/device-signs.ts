import type { DeviceMode } from '@tidings/protocol/presence';

/** What a user does on one device is told once in this time, milliseconds. */
export const JOINED_MS = 30_000;
/** Where the app is, is told once in this time, milliseconds. */
const MODE_MS = 1_000;
/** The same while presence is shed. */
const SHED_MODE_MS = 10_000;

/** What is to be told of a device now. */
export interface Sign {
  kind: 'user' | 'app';
}

/**
 * What one connection has said of its user and itself, and what of it the log was told: the first at
 * once, the rest joined. Times are monotonic milliseconds.
 */
export class DeviceSigns {
  /** What the app said last of where it is; null: nothing. */
  mode: DeviceMode | null = null;
  /** When its user did something last; null: not since it is connected. */
  activeAt: number | null = null;
  private toldMode: DeviceMode | null = null;
  private modeToldAt = -Infinity;
  private toldActiveAt: number | null = null;
  private userToldAt = -Infinity;
  private appToldAt = -Infinity;

  /** Its user did something. */
  did(now: number): void {
    this.activeAt = now;
  }

  /** The app came to the front or left it. Who brings it to the front does something. */
  goes(mode: DeviceMode, now: number): void {
    if (mode === 'front' && this.mode === 'background') this.did(now);
    this.mode = mode;
  }

  /** The app did something by itself: whether it is to be told now. What is too soon says nothing. */
  appDid(now: number): Sign | null {
    if (now - this.appToldAt < JOINED_MS) return null;
    this.appToldAt = now;
    return { kind: 'app' };
  }

  /** What is to be told by now, taken for told. `shed`: presence is shed, so less often. */
  take(now: number, shed = false): Sign | null {
    const modeIsNews = this.mode !== this.toldMode;
    const activeIsNews = this.activeAt !== this.toldActiveAt;
    const modeIsDue = modeIsNews && now - this.modeToldAt >= (shed ? SHED_MODE_MS : MODE_MS);
    if (!modeIsDue && !(activeIsNews && now - this.userToldAt >= JOINED_MS)) return null;
    if (modeIsNews) this.modeToldAt = now;
    this.toldMode = this.mode;
    if (!activeIsNews) return { kind: 'app' };
    this.toldActiveAt = this.activeAt;
    this.userToldAt = now;
    return { kind: 'user' };
  }

  /** Whether something is still to be told. */
  get waits(): boolean {
    return this.mode !== this.toldMode || this.activeAt !== this.toldActiveAt;
  }
}
