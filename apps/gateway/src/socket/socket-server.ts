import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { CLOSE_CODES } from '@tidings/common/contracts/close-codes';
import { ERRORS, type ErrorCode } from '@tidings/common/contracts/errors';
import { SUBPROTOCOL } from '@tidings/common/contracts/frames';
import { LIMITS } from '@tidings/common/contracts/limits';
import { toTidingsError } from '@tidings/common/runtime/problem.filter';
import { WebSocketServer, type RawData, type Server as SocketAcceptor, type WebSocket } from 'ws';
import { isAllowedOrigin } from '../domain/origins';
import { readOffer } from '../domain/subprotocols';
import { ClientSocket, Connection, type ConnectionRates, type Owner } from './connection';
import type { ConnectionTable } from './connection-table';
import type { FrameRouter } from './frame-router';

/** Path of the WebSocket. */
export const SOCKET_PATH = '/v1/ws';
/** A refused client should come back after this time, seconds. */
const RETRY_AFTER_SECONDS = 2;
/** Of a proxy's list of addresses so much is logged. */
const MOST_ADDRESS_CHARS = 200;
/** Fragments that one frame may consist of. */
const MOST_FRAGMENTS = 1_024;

export interface SocketServerParts {
  /** Takes a ticket that came from an address; throws `unauthorized` or `unavailable`. */
  takeTicket: (ticket: string, address: string | undefined) => Promise<Owner>;
  /** Behind a proxy that is trusted, the address is what the proxy says. */
  behindProxy?: boolean;
  allowedOrigins: readonly string[];
  maxConnections: number;
  rates: ConnectionRates;
  /** A peer that does not answer a close frame is cut off after this time, milliseconds. */
  closeTimeoutMs: number;
  table: ConnectionTable;
  router: FrameRouter;
  /** A connection stands and has to be brought up. */
  opened: (connection: Connection) => void;
  /** A socket has closed, from whichever side. */
  closed: (connection: Connection, code: number) => void;
  /** Ends a connection that breaks the rules. */
  close: (connection: Connection, code: number, reason: string) => void;
  clock: () => number;
}

/**
 * The WebSocket side of the gateway's listener. Everything is judged in the HTTP upgrade: no frame
 * is read, and no WebSocket stands, before the ticket was taken.
 */
export class SocketServer {
  private readonly acceptor: SocketAcceptor<typeof ClientSocket>;
  private readonly listen: (client: ClientSocket) => void;
  private upgrading = 0;
  private draining = false;

  constructor(private readonly parts: SocketServerParts) {
    this.listen = sharedListeners(parts);
    const options = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: LIMITS.clientFrameBytes,
      maxFragments: MOST_FRAGMENTS,
      closeTimeout: parts.closeTimeoutMs,
      WebSocket: ClientSocket,
      handleProtocols: () => SUBPROTOCOL,
    };
    this.acceptor = new WebSocketServer<typeof ClientSocket>(options);
  }

  /** Takes over the upgrades of an HTTP server. */
  attach(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      void this.upgrade(request, socket, head);
    });
  }

  /** Refuses new sockets from now on. */
  drain(): void {
    this.draining = true;
  }

  private async upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    socket.on('error', ignore);
    const refusal = this.judge(request);
    const { ticket } = readOffer(request.headers['sec-websocket-protocol']);
    if (refusal !== null || ticket === null) {
      refuseUpgrade(socket, refusal ?? 'unauthorized');
      return;
    }
    this.upgrading += 1;
    try {
      const owner = await this.parts.takeTicket(ticket, this.addressOf(request));
      if (!socket.destroyed) this.accept(request, socket, head, owner);
    } catch (error) {
      refuseUpgrade(socket, toTidingsError(error).code);
    } finally {
      this.upgrading -= 1;
    }
  }

  /** What is wrong with an upgrade, before its ticket is looked at; null: nothing. */
  private judge(request: IncomingMessage): ErrorCode | null {
    const { url, headers } = request;
    if ((url ?? '').split('?', 1)[0] !== SOCKET_PATH) return 'not_found';
    if (!isAllowedOrigin(headers.origin, headers.host, this.parts.allowedOrigins)) {
      return 'forbidden';
    }
    const offer = readOffer(headers['sec-websocket-protocol']);
    if (offer.ticket === null) return 'unauthorized';
    if (!offer.version) return 'invalid_request';
    const full = this.parts.table.size + this.upgrading >= this.parts.maxConnections;
    return this.draining || full ? 'busy' : null;
  }

  private addressOf({ headers, socket }: IncomingMessage): string | undefined {
    const forwarded = this.parts.behindProxy ? headers['x-forwarded-for'] : undefined;
    if (forwarded === undefined) return socket.remoteAddress;
    return String(forwarded).slice(0, MOST_ADDRESS_CHARS);
  }

  private accept(request: IncomingMessage, socket: Socket, head: Buffer, owner: Owner): void {
    socket.off('error', ignore);
    this.acceptor.handleUpgrade(request, socket, head, (client) => {
      const { table, rates, clock } = this.parts;
      const connection = new Connection(table.nextId(), owner, client, socket, rates, clock());
      client.connection = connection;
      this.listen(client);
      this.parts.opened(connection);
    });
  }
}

/** Makes the listeners that all sockets share, and returns what puts them on a socket. */
function sharedListeners(parts: SocketServerParts): (client: ClientSocket) => void {
  const { router, clock } = parts;
  function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
    const { connection } = this as ClientSocket;
    if (connection) router.receive(connection, data as Buffer, isBinary);
  }
  function onHeartbeat(this: WebSocket): void {
    const { connection } = this as ClientSocket;
    if (!connection) return;
    const now = clock();
    connection.lastSeenAt = now;
    if (connection.frames.take(now)) return;
    parts.close(connection, CLOSE_CODES.tooManyFrames, 'too many frames');
  }
  function onClose(this: WebSocket, code: number): void {
    const client = this as ClientSocket;
    if (client.connection) parts.closed(client.connection, code);
    client.connection = null;
  }
  return (client) => {
    client.on('message', onMessage);
    client.on('ping', onHeartbeat);
    client.on('pong', onHeartbeat);
    client.on('close', onClose);
    // The close that follows tells everything; ws has answered with the right code.
    client.on('error', ignore);
  };
}

function ignore(): void {}

/** Answers an upgrade with an HTTP error and ends the socket. */
function refuseUpgrade(socket: Socket, code: ErrorCode): void {
  const { status, title, retryable } = ERRORS[code];
  const body = JSON.stringify({
    type: `urn:tidings:error:${code}`,
    title,
    status,
    code,
    retryable,
  });
  const lines = [
    `HTTP/1.1 ${status} ${title}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  if (status === ERRORS.busy.status) lines.push(`Retry-After: ${RETRY_AFTER_SECONDS}`);
  socket.once('finish', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
