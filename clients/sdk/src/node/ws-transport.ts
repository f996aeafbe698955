import { WebSocket } from 'ws';
import { LIMITS } from '@tidings/protocol/limits';
import type { SocketHandlers, Transport, TransportSocket } from '../transport';

/** How long opening a socket may take, until the connection gives the attempt up anyway. */
const HANDSHAKE_MS = 15_000;

/** How long the server may take to answer a close frame. */
const CLOSE_MS = 1_000;

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
  socket.on('close', (code, reason) => handlers.closed(code, reason.toString()));
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
