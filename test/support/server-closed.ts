import type { Server } from 'node:net';

/**
 * Closes a server, and settles when its last connection has ended. One that a spec leaves open would
 * keep jest from its end, and nothing would say whose it is.
 */
export function serverClosed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
