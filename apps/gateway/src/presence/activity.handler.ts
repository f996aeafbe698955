import type { ActivityFrame, StateFrame } from '@tidings/protocol/presence';
import type { Lanes } from '../lanes/lanes';
import type { Connection } from '../socket/connection';
import type { ActivityFrames } from '../socket/frame-router';
import { DeviceSigns } from '../socket/device-signs';
import type { PresenceEvents } from '../socket/presence-events';
import type { PresenceFrameMetrics } from './presence.metrics';

/** How often what was joined is looked at, milliseconds. */
const STEP_MS = 500;

export interface ActivityHandlerParts {
  events: Pick<PresenceEvents, 'active'>;
  metrics: Pick<PresenceFrameMetrics, 'passedOver'>;
  lanes: Pick<Lanes, 'sheds'>;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/**
 * Takes `activity` and `state` frames, and what users do by other frames. They are never answered. The
 * last word of a connection is never lost while it lives: what is too much or too soon is told later.
 */
export class ActivityHandler implements ActivityFrames {
  /** Those of whom something is still to be told; a connection is in it once. */
  private readonly waiting = new Set<Connection>();
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly parts: ActivityHandlerParts) {}

  start(): void {
    this.timer = setInterval(() => this.step(), STEP_MS).unref();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** A user's frame has shown that they are there. */
  did(connection: Connection): void {
    const now = this.parts.clock();
    signsOf(connection).did(now);
    this.tell(connection, now);
  }

  /** Takes one frame. */
  handle(connection: Connection, frame: ActivityFrame | StateFrame): void {
    const now = this.parts.clock();
    this.note(connection, frame, now);
    this.tell(connection, now);
  }

  /** Takes a frame that came too soon: what it says is told with the next step. */
  limited(connection: Connection, frame: ActivityFrame | StateFrame): void {
    this.note(connection, frame, this.parts.clock());
    if (connection.signs?.waits) this.waiting.add(connection);
    this.parts.metrics.passedOver('rate');
  }

  /** Tells what is due by now; public for its specification. */
  step(): void {
    const now = this.parts.clock();
    for (const connection of this.waiting) {
      if (connection.ended) this.waiting.delete(connection);
      else this.tell(connection, now);
    }
  }

  private note(connection: Connection, frame: ActivityFrame | StateFrame, now: number): void {
    const signs = signsOf(connection);
    if (frame.type === 'state') signs.goes(frame.mode, now);
    else if (frame.kind === 'user') signs.did(now);
    else if (signs.appDid(now)) this.parts.events.active(connection, 'app');
  }

  private tell(connection: Connection, now: number): void {
    const signs = signsOf(connection);
    const sign = signs.take(now, this.parts.lanes.sheds('presence'));
    if (sign) this.parts.events.active(connection, sign.kind);
    if (signs.waits) this.waiting.add(connection);
    else this.waiting.delete(connection);
  }
}

function signsOf(connection: Connection): DeviceSigns {
  return (connection.signs ??= new DeviceSigns());
}
