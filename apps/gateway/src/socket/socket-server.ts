import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { ERRORS, TidingsError, type ErrorCode } from '@tidings/protocol/errors';
import { SUBPROTOCOL } from '@tidings/protocol/frames';
import { SOCKET_PATH } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { toTidingsError } from '@tidings/common/runtime/problem.filter';
import { WebSocketServer, type RawData, type Server as SocketAcceptor, type WebSocket } from 'ws';
import { isAllowedOrigin } from './origins';
import { readOffer } from './subprotocols';
import type { Rate } from '../rates/token-bucket';
import type { ClientAddresses } from '../http/client-addresses';
import type { OpenConnections } from '../http/open-connections';
import { ClientSocket, Connection, type Owner } from './connection';
import type { Admission } from '../rates/admission';
import type { ConnectionTable } from './connection-table';
import type { FrameRouter } from './frame-router';

/** A refused client should come back after this time, seconds. */
const RETRY_AFTER_SECONDS = 2;
/** Whoever is refused so has had no right to connect. */
const NOT_LET_IN: ReadonlySet<ErrorCode> = new Set(['unauthorized', 'rate_limited']);
/** Fragments that one frame may consist of: each costs as much as a small frame, and only frames are counted. */
export const MAX_FRAGMENTS = 64;

export interface SocketServerParts {
  /** Takes a ticket that came from an address; throws `unauthorized` or `unavailable`. */
  takeTicket: (ticket: string, address: string | undefined) => Promise<Owner>;
  /** Counts an upgrade of an address without a ticket, and rejects with its refusal. */
  wrongTicket: (address: string | undefined) => Promise<never>;
  /** Tell the address of an upgrade. */
  addresses: ClientAddresses;
  /** What one address may have open. */
  connections: Pick<OpenConnections, 'takeFor' | 'takeSocket'>;
  allowedOrigins: readonly string[];
  maxConnections: number;
  /** How fast new ones are let in. */
  admission: Pick<Admission, 'admit' | 'giveBack'>;
  /** Whether others know that this gateway is there. */
  isListed: () => boolean;
  /** Frames of one socket; above it the socket is closed. */
  frames: Rate;
  /** A peer that does not answer a close frame is cut off after this time, milliseconds. */
  closeTimeoutMs: number;
  table: ConnectionTable;
  router: FrameRouter;
  /** A connection stands and has to be brought up. */
  opened: (connection: Connection) => Promise<void> | void;
  /** A socket has closed, from whichever side. */
  closed: (connection: Connection, code: number) => void;
  /** Ends a connection that breaks the rules. */
  close: (connection: Connection, code: number, reason: string) => void;
  /** Something threw over a connection, or before there was one: notes it and closes the connection. */
  failed: (connection: Connection | null, error: unknown) => void;
  /** Told of each upgrade that is refused. */
  refused?: (error: TidingsError) => void;
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
      maxFragments: MAX_FRAGMENTS,
      closeTimeout: parts.closeTimeoutMs,
      WebSocket: ClientSocket,
      handleProtocols: () => SUBPROTOCOL,
    };
    this.acceptor = new WebSocketServer<typeof ClientSocket>(options);
  }

  /** Takes over the upgrades of an HTTP server. */
  attach(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      this.upgrade(request, socket, head).catch((error: unknown) => {
        this.parts.failed(null, error);
        socket.destroy();
      });
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
    if (refusal !== null) return this.refuse(socket, refusal);
    const owner =
      ticket === null
        ? await this.withoutTicket(request)
        : await this.ownerOf(ticket, request, socket);
    if (owner instanceof TidingsError) this.refuse(socket, owner);
    else if (!socket.destroyed) this.accept(request, socket, head, owner);
  }

  private refuse(socket: Socket, error: TidingsError): void {
    this.parts.refused?.(error);
    refuseUpgrade(socket, error);
  }

  /** The refusal of an upgrade without a ticket, or with something that is none. */
  private async withoutTicket(request: IncomingMessage): Promise<TidingsError> {
    const { addresses, wrongTicket } = this.parts;
    return await wrongTicket(addresses.of(request)).catch(toTidingsError);
  }

  /** Whose ticket it is; an error when it is refused. */
  private async ownerOf(
    ticket: string,
    request: IncomingMessage,
    socket: Socket,
  ): Promise<Owner | TidingsError> {
    const { addresses, connections, admission, takeTicket } = this.parts;
    let admitted = false;
    this.upgrading += 1;
    try {
      connections.takeFor(request, socket);
      connections.takeSocket(request, socket);
      // before anything is asked of others: the ticket is good for the next attempt
      admission.admit();
      admitted = true;
      return await takeTicket(ticket, addresses.of(request));
    } catch (error) {
      const refusal = toTidingsError(error);
      if (admitted && NOT_LET_IN.has(refusal.code)) admission.giveBack();
      if (refusal.code === 'internal') this.parts.failed(null, error);
      return refusal;
    } finally {
      this.upgrading -= 1;
    }
  }

  /** What is wrong with an upgrade, before its ticket is looked at; null: nothing. */
  private judge(request: IncomingMessage): TidingsError | null {
    const { url, headers } = request;
    if ((url ?? '').split('?', 1)[0] !== SOCKET_PATH) return new TidingsError('not_found');
    if (!isAllowedOrigin(headers.origin, headers.host, this.parts.allowedOrigins)) {
      return new TidingsError('forbidden');
    }
    const offer = readOffer(headers['sec-websocket-protocol']);
    // refused behind this, and counted
    if (offer.ticket === null) return null;
    if (!offer.version) return new TidingsError('invalid_request');
    if (this.draining) return new TidingsError('busy', { reason: 'draining' });
    const full = this.parts.table.size + this.upgrading >= this.parts.maxConnections;
    if (full) return new TidingsError('busy', { reason: 'full' });
    return this.parts.isListed() ? null : new TidingsError('unavailable');
  }

  private accept(request: IncomingMessage, socket: Socket, head: Buffer, owner: Owner): void {
    socket.off('error', ignore);
    this.acceptor.handleUpgrade(request, socket, head, (client) => {
      const { table, frames, clock, opened, failed } = this.parts;
      const connection = new Connection(table.nextId(), owner, client, socket, frames, clock());
      client.connection = connection;
      this.listen(client);
      Promise.resolve(opened(connection)).catch((error: unknown) => failed(connection, error));
    });
  }
}

/** Makes the listeners that all sockets share, and returns what puts them on a socket. */
function sharedListeners(parts: SocketServerParts): (client: ClientSocket) => void {
  const { router, clock, failed } = parts;
  /** An emitter would throw on what its listener throws: into the socket's reader. */
  function contained<A extends unknown[]>(
    listener: (connection: Connection, ...args: A) => void,
  ): (this: WebSocket, ...args: A) => void {
    return function (this: WebSocket, ...args: A): void {
      const { connection } = this as ClientSocket;
      if (!connection) return;
      try {
        listener(connection, ...args);
      } catch (error) {
        failed(connection, error);
      }
    };
  }
  const onMessage = contained((connection, data: RawData, isBinary: boolean) => {
    router.receive(connection, data as Buffer, isBinary);
  });
  const onHeartbeat = contained((connection) => {
    const now = clock();
    connection.lastSeenAt = now;
    if (connection.frames.take(now)) return;
    parts.close(connection, CLOSE_CODES.tooManyFrames, 'too many frames');
  });
  const onClose = contained((connection, code: number) => {
    connection.socket.connection = null;
    parts.closed(connection, code);
  });
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
function refuseUpgrade(socket: Socket, { code, reason, retryAfterMs }: TidingsError): void {
  const { status, title, retryable } = ERRORS[code];
  const body = JSON.stringify({
    type: `urn:tidings:error:${code}`,
    title,
    status,
    code,
    retryable,
    reason,
  });
  const lines = [
    `HTTP/1.1 ${status} ${title}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  if (retryAfterMs !== undefined) lines.push(`Retry-After: ${Math.ceil(retryAfterMs / 1000)}`);
  else if (status === ERRORS.busy.status) lines.push(`Retry-After: ${RETRY_AFTER_SECONDS}`);
  socket.once('finish', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
