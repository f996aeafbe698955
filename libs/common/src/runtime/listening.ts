import type { Server } from 'node:http';

/** Where a listener is bound to; port 0: any. */
export interface Place {
  host: string;
  port: number;
}

/** Binds a server. Rejects when the address is not available. */
export async function listening(server: Server, { host, port }: Place): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
