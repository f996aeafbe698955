import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { TidingsError } from '@tidings/protocol/errors';
import { clientNetwork } from '@tidings/common/runtime/client-network';
import type { ClientAddresses } from './client-addresses';
import type { SharedAddresses } from '../rates/shared-addresses';
import { answerRaw } from './broken-requests';
import type { BoundReason } from './slow-clients';

/** A refused client should come back after this time, milliseconds. */
const RETRY_AFTER_MS = 2_000;
/** A refusal that is not taken by then is cut off, milliseconds. */
const LINGER_MS = 1_000;

export interface OpenConnectionsOptions {
  /** Connections of all kinds, WebSockets included. */
  inAll: number;
  /** Of one address (IPv6: of one /64); 0: no limit. */
  perAddress: number;
  /** WebSockets of one address; 0: no limit. */
  socketsPerAddress: number;
  addresses: ClientAddresses;
  /** Addresses that many clients share. */
  shared: Pick<SharedAddresses, 'has'>;
  refused(reason: BoundReason): void;
}

/**
 * Bounds what one address may have open, whatever it is for: one client cannot take the places of
 * others before its first request is read. Whoever connects itself is counted by its connections. A
 * proxy uses each of its connections for many clients, so that behind one the sockets of a client
 * count, and its calls under way.
 */
export class OpenConnections {
  private readonly open = new Map<string, number>();
  private readonly sockets = new Map<string, number>();

  constructor(private readonly options: OpenConnectionsOptions) {}

  /** Bounds a server's connections. `inAll` is enforced by Node, before the connection is ours. */
  bound(server: Server): void {
    const { inAll, addresses, refused } = this.options;
    server.maxConnections = inAll;
    server.on('drop', () => refused('connections'));
    server.on('connection', (socket: Socket) => {
      const { remoteAddress } = socket;
      if (addresses.isProxy(remoteAddress) || this.take(remoteAddress, socket)) return;
      refuse(socket);
    });
  }

  /**
   * Takes a place for a request that came through a proxy, until `holder` (its answer, or its socket
   * after an upgrade) closes. Throws `busy`.
   */
  takeFor(request: IncomingMessage, holder: EventEmitter): void {
    const { addresses } = this.options;
    // the connection of any other has its place
    if (!addresses.isProxy(request.socket.remoteAddress)) return;
    if (!this.take(addresses.of(request), holder)) throw refusal();
  }

  /** Takes a place for a WebSocket, until it closes. Throws `busy`. */
  takeSocket(request: IncomingMessage, socket: EventEmitter): void {
    const { addresses, socketsPerAddress } = this.options;
    const address = addresses.of(request);
    if (!this.counted(this.sockets, socketsPerAddress, address, socket)) throw refusal();
  }

  private take(address: string | undefined, holder: EventEmitter): boolean {
    return this.counted(this.open, this.options.perAddress, address, holder);
  }

  /** Counts for an address until the holder closes; false: it is one too many. */
  private counted(
    counts: Map<string, number>,
    limit: number,
    address: string | undefined,
    holder: EventEmitter,
  ): boolean {
    const { shared, refused } = this.options;
    if (limit === 0 || shared.has(address)) return true;
    const network = clientNetwork(address);
    const count = (counts.get(network) ?? 0) + 1;
    counts.set(network, count);
    holder.once('close', () => free(counts, network));
    if (count <= limit) return true;
    refused('address_connections');
    return false;
  }
}

function free(counts: Map<string, number>, network: string): void {
  const left = (counts.get(network) ?? 1) - 1;
  if (left > 0) counts.set(network, left);
  else counts.delete(network);
}

function refusal(): TidingsError {
  const detail = 'Too many connections from this address';
  return new TidingsError('busy', { detail, reason: 'address', retryAfterMs: RETRY_AFTER_MS });
}

function refuse(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.setTimeout(LINGER_MS, () => socket.destroy());
  socket.end(answerRaw(refusal()), () => socket.destroy());
}
