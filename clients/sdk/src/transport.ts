import type { BusyReason, ErrorCode } from '@tidings/protocol/errors';

/** Why a server did not open a socket, if the transport can see that. */
export interface SocketRefusal {
  code: ErrorCode;
  /** Of `busy`; absent: of an older server, or one that this client does not know. */
  reason?: BusyReason;
  /** When another attempt there makes sense, in milliseconds from now. */
  retryAfterMs?: number;
}

/** What a transport reports about one socket. Nothing follows `closed`. */
export interface SocketHandlers {
  /** One text frame. */
  frame(text: string): void;
  /** A sign of life that is not a frame (a WebSocket ping). */
  alive(): void;
  /**
   * The socket has ended; 1006 when it never opened or ended without a close frame. `refusal`: the
   * server's answer in place of a socket; browsers hide it.
   */
  closed(code: number, reason: string, refusal?: SocketRefusal): void;
}

/** One socket, opening or open. */
export interface TransportSocket {
  /** Sends a text frame. Dropped when the socket is not open. */
  send(text: string): void;
  /** Closes with the closing handshake. */
  close(code: number): void;
  /** Drops the socket at once. */
  abandon(): void;
}

/** Opens WebSockets: one implementation for browsers, one for Node. */
export interface Transport {
  /**
   * Whether `alive` reports the server's pings. If not, the client has to request signs of life.
   */
  readonly seesPings: boolean;
  open(url: string, protocols: string[], handlers: SocketHandlers): TransportSocket;
}
