import type { ActivityFrame, DeviceMode, StateFrame } from '@tidings/protocol/presence';
import type { Cancel, Clock } from './clock';

/** Activity is reported at most once in this time, in milliseconds. */
export const JOINED_MS = 30_000;

export interface ActivityDeps {
  clock: Clock;
  /** Sends a frame; false: not connected. */
  send(frame: string): boolean;
}

/**
 * Tells the server, if it supports this, that the user is active and whether the app is in the
 * foreground. Activity is coalesced: reported at once, then once per {@link JOINED_MS}. A new
 * connection counts as in the foreground and as activity.
 */
export class Activity {
  private offered = false;
  private mode: DeviceMode = 'front';
  private toldAt = -Infinity;
  /** Timer that reports what has happened since the last report; null: nothing has. */
  private due: Cancel | null = null;

  constructor(private readonly deps: ActivityDeps) {}

  /** Connected. `features` says whether the server takes such frames. */
  connected(features: readonly string[]): void {
    this.offered = features.includes('presence');
    this.toldAt = this.deps.clock.now();
    if (this.mode === 'background') this.sayMode();
  }

  disconnected(): void {
    this.offered = false;
    this.due?.();
    this.due = null;
  }

  /** The user did something. May be called as often as that happens. */
  active(): void {
    if (!this.offered || this.due) return;
    const { clock } = this.deps;
    const ms = this.toldAt + JOINED_MS - clock.now();
    if (ms <= 0) return this.say();
    this.due = clock.after(ms, () => this.say());
  }

  /** The app came to the foreground, or left it. */
  goes(mode: DeviceMode): void {
    if (mode === this.mode) return;
    this.mode = mode;
    this.sayMode();
  }

  /**
   * The server counts every frame from the user as activity: nothing needs to be reported on top.
   */
  said(): void {
    this.toldAt = this.deps.clock.now();
    this.due?.();
    this.due = null;
  }

  private say(): void {
    const frame: ActivityFrame = { type: 'activity', kind: 'user' };
    this.said();
    if (this.offered) this.deps.send(JSON.stringify(frame));
  }

  private sayMode(): void {
    const frame: StateFrame = { type: 'state', mode: this.mode };
    // bringing the app to the foreground is activity, which the server knows
    if (this.mode === 'front') this.said();
    if (this.offered) this.deps.send(JSON.stringify(frame));
  }
}
