import { UnsupportedError } from './errors';
import type { SocketHandlers, Transport, TransportSocket } from './transport';

/** The part of the browser's WebSocket that is used here. */
export interface BrowserSocket {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  readonly readyState: number;
  send(text: string): void;
  close(code?: number): void;
}

/** The browser's WebSocket class, or a compatible one. */
export type BrowserSocketClass = new (url: string, protocols: string[]) => BrowserSocket;

const OPEN = 1;

/**
 * Transport over the browser's WebSocket. Browsers hide pings, so {@link Transport.seesPings} is
 * false.
 *
 * @throws UnsupportedError when this environment has no WebSocket
 */
export function browserTransport(socketClass?: BrowserSocketClass): Transport {
  const Socket =
    socketClass ?? (globalThis as unknown as { WebSocket?: BrowserSocketClass }).WebSocket;
  if (!Socket) throw new UnsupportedError('WebSocket');
  return {
    seesPings: false,
    open: (url, protocols, handlers) => openSocket(new Socket(url, protocols), handlers),
  };
}

function openSocket(socket: BrowserSocket, handlers: SocketHandlers): TransportSocket {
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') handlers.frame(data);
  };
  socket.onclose = ({ code, reason }) => handlers.closed(code, reason);
  socket.onerror = () => undefined;
  return {
    send: (text) => {
      if (socket.readyState === OPEN) socket.send(text);
    },
    close: (code) => socket.close(code),
    abandon: () => {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    },
  };
}
