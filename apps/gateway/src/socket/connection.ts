import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Route } from '@tidings/common/redis/routes';
import type { StickyRefusals } from './sticky-refusals';
import type { Rate } from '../rates/token-bucket';
import { TokenBucket } from '../rates/token-bucket';
import type { DeviceSigns } from './device-signs';
import type { TypingState } from './typing-state';
import type { InboundFrame } from './inbound-frame';

/** Who a connection belongs to, as its ticket says. */
export interface Owner {
  userId: string;
  deviceId: string;
  /** Generation of the device's login. */
  sessionGeneration: number;
  /** Connection generation of the ticket: the fence of the route. */
  generation: string;
}

/**
 * One client's socket and all that the gateway keeps for it. Ten thousand of these are idle at a
 * time: no timers, promises or closures here, and what few connections need is made when needed.
 */
export class Connection {
  readonly userId: string;
  readonly deviceId: string;
  readonly sessionGeneration: number;
  readonly generation: string;
  readonly frames: TokenBucket;
  /** Monotonic milliseconds. */
  lastSeenAt: number;
  lastPingAt: number;
  /** Its `welcome` is written; before that pushes wait in {@link held}. */
  welcomed = false;
  /** Its route was written under this boot id; null: not yet. */
  bootId: string | null = null;
  /** It gets no more frames and is out of the table. */
  ended = false;
  /** Frames that wait for an earlier one of this socket; null: nothing is being waited for. */
  waiting: InboundFrame[] | null = [];
  paused = false;
  /**
   * What is for everybody is pushed from this position on: what lies below comes with a `sync` of this
   * connection. Null: it has not asked for one yet.
   */
  everyoneFrom: bigint | null = null;
  /** Encoded pushes that came before `welcome`. */
  held: Buffer[] | null = null;
  heldBytes = 0;
  /** Frames of this turn are held together until its end. */
  corked = false;
  /** Sends without an answer. */
  unanswered = 0;
  /** Syncs being answered. */
  syncs = 0;
  sticky: StickyRefusals | null = null;
  typing: TypingState | null = null;
  signs: DeviceSigns | null = null;
  /** It was asked to go elsewhere: when it closes, its user has not left. */
  sentOff = false;
  /** Monotonic milliseconds. */
  readonly openedAt: number;

  constructor(
    readonly id: string,
    owner: Owner,
    readonly socket: ClientSocket,
    /** The TCP or TLS socket below. */
    readonly raw: Socket,
    /** All frames; above it the connection is closed. */
    frames: Rate,
    now: number,
  ) {
    this.userId = owner.userId;
    this.deviceId = owner.deviceId;
    this.sessionGeneration = owner.sessionGeneration;
    this.generation = owner.generation;
    this.frames = new TokenBucket(frames, now);
    this.openedAt = now;
    this.lastSeenAt = now;
    this.lastPingAt = now;
  }

  /** Lets what was written in this turn go; a close frame must come after it. */
  uncork(): void {
    if (!this.corked) return;
    this.corked = false;
    this.raw.uncork();
  }

  /** The route that leads here, under a boot id of this gateway. */
  route(gatewayId: string, bootId: string): Route {
    const { userId, deviceId, generation } = this;
    return { userId, deviceId, gatewayId, bootId, connectionId: this.id, generation };
  }
}

/**
 * The server's end of a WebSocket. It knows its connection, so that its listeners are functions
 * shared by all sockets instead of closures of each.
 */
export class ClientSocket extends WebSocket {
  connection: Connection | null = null;
}
