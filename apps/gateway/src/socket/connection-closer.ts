import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { Routes } from '@tidings/common/redis/routes';
import type { CloseReason, PresenceEvents } from './presence-events';
import type { Connection } from './connection';
import type { ConnectionTable } from './connection-table';

/** RFC 6455 §7.1.5: the connection ended without a close frame. */
const ABNORMAL = 1006;

export interface ConnectionCloserParts {
  gatewayId: string;
  table: ConnectionTable;
  routes: Routes;
  presence: PresenceEvents;
}

/** Ends connections: table, route, presence, socket, each once. */
export class ConnectionCloser {
  constructor(private readonly parts: ConnectionCloserParts) {}

  /** Closes a connection from this side. */
  close(connection: Connection, code: number, reason: string): void {
    if (connection.ended) return;
    this.forget(connection, closeReason(code), code === CLOSE_CODES.heartbeatMissed);
    connection.uncork();
    connection.socket.close(code, reason);
    // A paused socket would never see the answer to the close frame.
    connection.socket.resume();
  }

  /** The socket has closed, with the code that the client or the socket gave. */
  closed(connection: Connection, code: number): void {
    if (!connection.ended) this.forget(connection, leavingReason(connection, code));
  }

  private forget(connection: Connection, reason: CloseReason, silent = false): void {
    const { gatewayId, table, routes, presence } = this.parts;
    connection.ended = true;
    connection.held = null;
    table.remove(connection);
    if (connection.bootId === null) return;
    // Without Redis the route expires by itself.
    routes.remove(connection.route(gatewayId, connection.bootId)).catch(() => undefined);
    presence.closed(connection, reason, silent);
  }
}

function closeReason(code: number): CloseReason {
  switch (code) {
    case CLOSE_CODES.heartbeatMissed:
      return 'lost';
    case CLOSE_CODES.sameDeviceElsewhere:
      return 'replaced';
    case CLOSE_CODES.replacedByLogin:
    case CLOSE_CODES.loggedOut:
    case CLOSE_CODES.accountDisabled:
      return 'ended';
    default:
      return 'server';
  }
}

function leavingReason({ sentOff }: Connection, code: number): CloseReason {
  if (code === ABNORMAL) return 'lost';
  return sentOff ? 'server' : 'client';
}
