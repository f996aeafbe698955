import { EVENT_TYPES, type ConnectionClosed } from '@tidings/common/log-events/events';
import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { uuidv7 } from 'uuidv7';
import type { Connection } from './connection';
import { isoTime } from './iso-time';

export type CloseReason = ConnectionClosed['reason'];

/** Who connects does something; for so long it need not be in the tables yet, milliseconds. */
const FRESH_MS = 30_000;

/**
 * Tells presence of connections that came and went, and of what their users did. What the log does not
 * take is dropped and counted: each later event of a connection tells of it, too.
 */
export class PresenceEvents {
  dropped = 0;

  constructor(
    private readonly parts: {
      gatewayId: string;
      writer: Pick<LogWriter, 'append'>;
      /** Monotonic milliseconds. */
      clock: () => number;
      wallClock: () => number;
    },
  ) {}

  /** A connection's route is written. */
  opened(connection: Connection): void {
    this.publish(EVENT_TYPES.connectionOpened, connection, {});
  }

  /** A connection's route is written under another boot id: what was told of it may be lost. */
  openedAgain(connection: Connection): void {
    const fresh = Math.round(this.parts.clock() - connection.openedAt);
    const activeMsAgo = this.activeMsAgo(connection) ?? (fresh < FRESH_MS ? fresh : undefined);
    this.publish(EVENT_TYPES.connectionOpened, connection, { again: true, activeMsAgo });
  }

  /** A connection whose route was written has ended. `silent`: without a sign of life. */
  closed(connection: Connection, reason: CloseReason, silent = false): void {
    const { lastSeenAt } = connection;
    const silentMs = silent ? Math.round(this.parts.clock() - lastSeenAt) : undefined;
    this.publish(EVENT_TYPES.connectionClosed, connection, { reason, silentMs });
  }

  /** The user, or only the app, did something. */
  active(connection: Connection, kind: 'user' | 'app'): void {
    this.publish(EVENT_TYPES.activity, connection, { kind });
  }

  private activeMsAgo({ signs }: Connection): number | undefined {
    const activeAt = signs?.activeAt ?? null;
    return activeAt === null ? undefined : Math.round(this.parts.clock() - activeAt);
  }

  private publish(type: string, connection: Connection, more: object): void {
    const { userId, deviceId, id: connectionId, generation, bootId, signs } = connection;
    const { gatewayId } = this.parts;
    const at = isoTime(this.parts.wallClock());
    const mode = signs?.mode ?? undefined;
    const activeMsAgo = this.activeMsAgo(connection);
    const route = { userId, deviceId, connectionId, gatewayId, bootId, generation };
    const event = { ...route, at, mode, activeMsAgo, ...more };
    const record = { key: userId, type, id: uuidv7(), time: at, value: JSON.stringify(event) };
    const taken = this.parts.writer.append(record, (result) => {
      if (!result.ok) this.dropped += 1;
    });
    if (!taken) this.dropped += 1;
  }
}
