import type { EventEmitter } from 'node:events';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { TidingsError } from '@tidings/protocol/errors';
import type { Defects } from './defects';
import { problemOf } from './problem.filter';

/**
 * The outermost guard of an HTTP server (decision 0021). Whatever a request makes its listener
 * throw (at once, in a promise, or later in a listener of the request or its response) affects only
 * that request: it is answered 500, or cut off if its answer has begun. Call it once the server
 * listens: a server that cannot listen still fails its start.
 */
export function containServer(server: Server, defects: Defects): void {
  // a connection that could not be accepted, e.g. for lack of file descriptors
  server.on('error', (error) => defects.note('listener', error));
  const inner = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    let failed = false;
    const fail = (error: unknown): void => {
      defects.note('request', error, { requestId: requestIdOf(request) });
      // its clean-up may throw as well
      if (failed) return;
      failed = true;
      refuse(request, response);
    };
    contain(request, fail);
    contain(response, fail);
    for (const listener of inner) callListener(listener, server, request, response, fail);
  });
}

function callListener(
  listener: RequestListener,
  server: Server,
  request: IncomingMessage,
  response: ServerResponse,
  fail: (error: unknown) => void,
): void {
  try {
    const pending: unknown = listener.call(server, request, response);
    if (pending instanceof Promise) pending.catch(fail);
  } catch (error) {
    fail(error);
  }
}

/** Catches what an emitter's listeners throw: otherwise it would reach the reader of the socket. */
function contain(emitter: EventEmitter, fail: (error: unknown) => void): void {
  const emit = emitter.emit.bind(emitter) as (...args: unknown[]) => boolean;
  emitter.emit = (...args: unknown[]): boolean => {
    try {
      return emit(...args);
    } catch (error) {
      fail(error);
      return true;
    }
  };
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  try {
    if (response.headersSent) return void request.socket.destroy();
    const problem = problemOf(new TidingsError('internal'), requestIdOf(request));
    response.writeHead(problem.status, {
      'content-type': 'application/problem+json',
      connection: 'close',
    });
    response.end(JSON.stringify(problem));
  } catch {
    request.socket.destroy();
  }
}

/** The id that the gateway gives each request; empty in other services. */
function requestIdOf(request: IncomingMessage & { id?: unknown }): string {
  return typeof request.id === 'string' ? request.id : '';
}
