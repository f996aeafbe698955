import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { TidingsError } from '@tidings/common/contracts/errors';
import { clientNetwork } from '@tidings/common/runtime/client-network';
import type { SharedAddresses } from './shared-addresses';
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
  /** Addresses that many clients share. */
  shared: Pick<SharedAddresses, 'has'>;
  refused(reason: BoundReason): void;
}

/**
 * Bounds the connections that are open, whatever they are for: one client cannot take the places of
 * others before its first request is read. `inAll` is enforced by Node, before the connection is ours.
 */
export function boundConnections(server: Server, options: OpenConnectionsOptions): void {
  const { inAll, perAddress, shared, refused } = options;
  const open = new Map<string, number>();
  server.maxConnections = inAll;
  server.on('drop', () => refused('connections'));
  if (perAddress === 0) return;
  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket;
    if (shared.has(remoteAddress)) return;
    const network = clientNetwork(remoteAddress);
    const count = (open.get(network) ?? 0) + 1;
    open.set(network, count);
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left > 0) open.set(network, left);
      else open.delete(network);
    });
    if (count <= perAddress) return;
    refused('address_connections');
    refuse(socket);
  });
}

function refuse(socket: Socket): void {
  socket.on('error', () => undefined);
  const detail = 'Too many connections from this address';
  const error = new TidingsError('busy', { detail, retryAfterMs: RETRY_AFTER_MS });
  socket.setTimeout(LINGER_MS, () => socket.destroy());
  socket.end(answerRaw(error), () => socket.destroy());
}
