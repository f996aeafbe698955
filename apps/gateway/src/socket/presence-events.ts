import { EVENT_TYPES, type ConnectionClosed } from '@tidings/common/log-events/events';
import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { uuidv7 } from 'uuidv7';
import type { Connection } from './connection';
import { isoTime } from './iso-time';

export type CloseReason = ConnectionClosed['reason'];

/**
 * Tells presence of connections that came and went. What the log does not take is dropped and
 * counted: presence makes it up from routes.
 */
export class PresenceEvents {
  dropped = 0;

  constructor(
    private readonly parts: {
      gatewayId: string;
      writer: Pick<LogWriter, 'append'>;
      wallClock: () => number;
    },
  ) {}

  /** A connection's route is written. */
  opened(connection: Connection): void {
    this.publish(EVENT_TYPES.connectionOpened, connection, {});
  }

  /** A connection whose route was written has ended. */
  closed(connection: Connection, reason: CloseReason): void {
    this.publish(EVENT_TYPES.connectionClosed, connection, { reason });
  }

  private publish(type: string, connection: Connection, more: object): void {
    const { userId, deviceId, id: connectionId, generation, bootId } = connection;
    const { gatewayId } = this.parts;
    const at = isoTime(this.parts.wallClock());
    const event = { userId, deviceId, connectionId, gatewayId, bootId, generation, at, ...more };
    const record = { key: userId, type, id: uuidv7(), time: at, value: JSON.stringify(event) };
    const taken = this.parts.writer.append(record, (result) => {
      if (!result.ok) this.dropped += 1;
    });
    if (!taken) this.dropped += 1;
  }
}
