import type { IncomingMessage } from 'node:http';

/**
 * Whether the sender of a request has closed the connection, so that nobody reads an answer. A
 * process that was suspended finds the request and the end of its connection at once, but reads
 * them one after another: the end is read in the next turn of the event loop.
 */
export async function hasLeft({ socket }: IncomingMessage): Promise<boolean> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
  return socket.destroyed || socket.readableEnded;
}
