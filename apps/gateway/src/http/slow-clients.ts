import type { Socket } from 'node:net';
import { TidingsError } from '@tidings/protocol/errors';
import { sendProblem } from '@tidings/common/runtime/problem.filter';
import type { NextFunction, Request, Response } from 'express';

/** Times of the bounds for slow clients, milliseconds. */
export const SLOW_CLIENTS = {
  /** A JSON body that is not complete by then is refused. */
  bodyMs: 12_000,
  /** What a refused sender still sends is thrown away for so long; then the connection is cut. */
  lingerMs: 2_000,
  /** An answer that is not taken by then is given up, with its connection. */
  unreadMs: 20_000,
};
/** Requests that one connection may send before the first of them is answered (pipelining). */
export const OPEN_PER_CONNECTION = 16;

/**
 * A body may come in so many pieces of any size; each further one must bring so many bytes on the
 * average. A piece costs about the same whatever it brings: a body in chunks of one byte would cost a
 * gateway a hundred times what it costs its sender.
 */
export const PIECES = { free: 2_048, bytes: 512 };

/** Why a request or its connection was ended. */
export type BoundReason =
  | 'refused_body'
  | 'small_pieces'
  | 'slow_body'
  | 'unread_answer'
  | 'pipelined'
  | 'too_many_calls'
  | 'connections'
  | 'address_connections'
  | 'refused_often'
  | 'admission'
  | 'early'
  | 'left';

/**
 * Middleware that ends what slow clients hold: a request that was answered before its body came, an
 * answer that is not read, a body in countless pieces, and more requests at once on a connection than answers are taken from it.
 * `count` takes each cut.
 */
export function boundClients(count: (reason: BoundReason) => void, times = SLOW_CLIENTS) {
  const open = new WeakMap<Socket, number>();
  const cut = (socket: Socket, reason: BoundReason): void => {
    if (socket.destroyed) return;
    count(reason);
    socket.destroy();
  };
  return (request: Request & { id?: string }, response: Response, next: NextFunction): void => {
    const { socket } = request;
    response.once('prefinish', () => setImmediate(cutUnread));
    response.once('finish', cutUnsent);
    const running = (open.get(socket) ?? 0) + 1;
    open.set(socket, running);
    response.once('close', () => open.set(socket, (open.get(socket) ?? 1) - 1));
    if (hasBody(request)) boundPieces(request, () => cut(socket, 'small_pieces'));
    if (running <= OPEN_PER_CONNECTION) return next();
    count('pipelined');
    response.setHeader('Connection', 'close');
    const detail = `At most ${OPEN_PER_CONNECTION} requests at a time on one connection`;
    sendProblem(response, new TidingsError('busy', { detail }), request.id ?? '');

    function cutUnread(): void {
      if (response.writableFinished || socket.destroyed) return;
      const timer = setTimeout(() => cut(socket, 'unread_answer'), times.unreadMs);
      response.once('finish', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
    }

    function cutUnsent(): void {
      if (request.complete || socket.destroyed) return;
      const timer = setTimeout(() => cut(socket, 'refused_body'), times.lingerMs);
      request.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
    }
  };
}

function hasBody({ headers }: Request): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/** Ends a body that comes in more pieces than {@link PIECES} lets. */
function boundPieces(request: Request, tooMany: () => void): void {
  const push = request.push.bind(request);
  let pieces = 0;
  let bytes = 0;
  request.push = (piece: Buffer | null, encoding?: BufferEncoding): boolean => {
    pieces += 1;
    bytes += piece?.length ?? 0;
    if (pieces <= PIECES.free + 1 + bytes / PIECES.bytes) return push(piece, encoding);
    tooMany();
    return false;
  };
}

/** Refuses a request whose body is not complete in time. */
export function boundBody(
  request: Request & { id?: string },
  response: Response,
  count: (reason: BoundReason) => void,
  times = SLOW_CLIENTS,
): void {
  if (!hasBody(request)) return;
  const timer = setTimeout(() => {
    count('slow_body');
    if (response.headersSent) return void request.destroy();
    response.setHeader('Connection', 'close');
    const error = new TidingsError('invalid_request', { detail: 'The body is late', status: 408 });
    sendProblem(response, error, request.id ?? '');
  }, times.bodyMs);
  request.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
}
