import type { ActivityFrame, DeviceMode, StateFrame } from '@tidings/protocol/presence';
import type { Cancel, Clock } from './clock';

/** What a user does is told once in this time, milliseconds. */
export const JOINED_MS = 30_000;

export interface ActivityDeps {
  clock: Clock;
  /** Puts a frame on the wire; false: there is no connection. */
  send(frame: string): boolean;
}

/**
 * Tells the server that the user is there and whether the app is in front, where it takes that. What
 * they do is joined: at once, then once in {@link JOINED_MS}. A connection is in front when it opens,
 * and opening it counts as something that the user did.
 */
export class Activity {
  private offered = false;
  private mode: DeviceMode = 'front';
  private toldAt = -Infinity;
  /** Will tell what happened since it was told last; null: nothing did. */
  private due: Cancel | null = null;

  constructor(private readonly deps: ActivityDeps) {}

  /** Connected: `features` tells whether the server takes such frames. */
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

  /** The user did something; call it as often as it happens. */
  active(): void {
    if (!this.offered || this.due) return;
    const { clock } = this.deps;
    const ms = this.toldAt + JOINED_MS - clock.now();
    if (ms <= 0) return this.say();
    this.due = clock.after(ms, () => this.say());
  }

  /** The app came to the front, or left it. */
  goes(mode: DeviceMode): void {
    if (mode === this.mode) return;
    this.mode = mode;
    this.sayMode();
  }

  /** The server counts what a user says as something that they did: nothing is to be told beside it. */
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
    // who brings the app to the front does something: the server knows
    if (this.mode === 'front') this.said();
    if (this.offered) this.deps.send(JSON.stringify(frame));
  }
}
