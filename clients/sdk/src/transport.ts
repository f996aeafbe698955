import type { ErrorCode } from '@tidings/protocol/errors';

/** Why a server did not open a socket, where the transport can see it. */
export interface SocketRefusal {
  code: ErrorCode;
  /** When another attempt there makes sense, in milliseconds from now. */
  retryAfterMs?: number;
}

/** What a transport tells about one socket. After `closed` nothing more comes. */
export interface SocketHandlers {
  /** One text frame. */
  frame(text: string): void;
  /** A sign of life that is no frame (a WebSocket ping). */
  alive(): void;
  /**
   * The socket has ended; 1006 when it was never open or ended without a close frame. `refusal`: what
   * the server answered instead of opening it; browsers do not show that.
   */
  closed(code: number, reason: string, refusal?: SocketRefusal): void;
}

/** One socket, opening or open. */
export interface TransportSocket {
  /** Sends a text frame; dropped when the socket is not open. */
  send(text: string): void;
  /** Closes in the orderly way. */
  close(code: number): void;
  /** Gives the socket up at once. */
  abandon(): void;
}

/** Opens WebSockets: one implementation for browsers, one for Node. */
export interface Transport {
  /** Whether `alive` reports the server's pings. If not, the client has to ask for signs of life. */
  readonly seesPings: boolean;
  open(url: string, protocols: string[], handlers: SocketHandlers): TransportSocket;
}
