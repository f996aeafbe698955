import type { IncomingMessage } from 'node:http';
import { isBusyReason, isErrorCode } from '@tidings/protocol/errors';
import { parsedJson } from '@tidings/protocol/json';
import { WebSocket } from 'ws';
import { LIMITS } from '@tidings/protocol/limits';
import type { SocketHandlers, SocketRefusal, Transport, TransportSocket } from '../transport';

/** How long opening a socket may take; the connection gives up the attempt by then anyway. */
const HANDSHAKE_MS = 15_000;

/** How long the server may take to answer a close frame. */
const CLOSE_MS = 1_000;

/** The longest refusal that is read, in bytes. */
const REFUSAL_BYTES = 4_096;

/** Transport over the `ws` package, which shows the server's pings. */
export function wsTransport(): Transport {
  return {
    seesPings: true,
    open: (url, protocols, handlers) => openSocket(url, protocols, handlers),
  };
}

function openSocket(url: string, protocols: string[], handlers: SocketHandlers): TransportSocket {
  const socket = new WebSocket(url, protocols, {
    perMessageDeflate: false,
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: 4 * LIMITS.serverFrameBytes,
  });
  socket.on('message', (data, isBinary) => {
    if (!isBinary) handlers.frame(data.toString());
  });
  socket.on('ping', () => handlers.alive());
  socket.on('error', () => undefined);
  let refusal: SocketRefusal | undefined;
  socket.on('unexpected-response', (_request, response) => {
    readRefusal(response, (read) => {
      refusal = read;
      socket.terminate();
    });
  });
  socket.on('close', (code, reason) => handlers.closed(code, reason.toString(), refusal));
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: (code) => {
      socket.close(code);
      setTimeout(() => socket.terminate(), CLOSE_MS).unref();
    },
    abandon: () => socket.terminate(),
  };
}

/**
 * Reports the problem document (RFC 9457) that came instead of a socket; undefined: it was
 * something else.
 */
function readRefusal(
  response: IncomingMessage,
  done: (refusal: SocketRefusal | undefined) => void,
): void {
  const chunks: Buffer[] = [];
  let size = 0;
  const end = (): void => {
    const problem = parsedJson(Buffer.concat(chunks).toString('utf8')) as {
      code?: unknown;
      reason?: unknown;
    } | null;
    const { code, reason } = problem ?? {};
    const seconds = Number(response.headers['retry-after'] ?? NaN);
    const retryAfterMs = seconds >= 0 ? seconds * 1000 : undefined;
    const known = isBusyReason(reason) ? { reason } : {};
    done(isErrorCode(code) ? { code, retryAfterMs, ...known } : undefined);
  };
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= REFUSAL_BYTES) chunks.push(chunk);
    else response.destroy();
  });
  response.once('end', end);
  response.once('error', () => done(undefined));
}
