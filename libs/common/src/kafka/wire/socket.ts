import * as net from 'node:net';
import * as tls from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

const KEEP_ALIVE_MS = 60_000;
/** How long an ended socket may take to flush before it is destroyed, in milliseconds. */
const LINGER_MS = 1_000;

/**
 * Socket factory for kafkajs 2.2.4 that sends at once (no Nagle) and silences an ended socket.
 * kafkajs leaves its listeners on a socket that it has abandoned; a late `end` or `error` of that
 * socket would reject the requests of the connection that replaced it.
 */
export function dialWith(options: {
  connectionTimeout: number;
  dial?: (address: { host: string; port: number }) => { host: string; port: number };
}): ISocketFactory {
  return ({ host, port, ssl, onConnect }) => {
    const address = options.dial ? options.dial({ host, port }) : { host, port };
    const socket = ssl
      ? tls.connect({ ...address, ...(net.isIP(host) ? {} : { servername: host }), ...ssl })
      : net.connect(address);
    const giveUp = setTimeout(() => socket.destroy(), options.connectionTimeout + 100);
    giveUp.unref();
    socket.once(ssl ? 'secureConnect' : 'connect', () => {
      clearTimeout(giveUp);
      onConnect();
    });
    socket.once('close', () => clearTimeout(giveUp));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    silenceOnEnd(socket);
    return socket;
  };
}

function silenceOnEnd(socket: net.Socket): void {
  const end = socket.end.bind(socket) as () => net.Socket;
  socket.end = () => {
    for (const event of ['data', 'end', 'error', 'timeout']) socket.removeAllListeners(event);
    socket.on('error', () => undefined);
    end();
    if (socket.connecting) socket.destroy();
    else socket.destroySoon();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
    return socket;
  };
}
