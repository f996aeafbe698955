import type { Server } from 'node:http';
import { EnvironmentError } from './env';

/** Where a listener is bound to; port 0: any. */
export interface Place {
  host: string;
  port: number;
}

/** A host that is none, or that of another machine. */
const NOT_OURS = ['ENOTFOUND', 'EADDRNOTAVAIL', 'EAI_AGAIN'];

/** Binds a server. Rejects when the address is not available. */
export async function listening(server: Server, { host, port }: Place): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const isOurs = !NOT_OURS.includes(error.code ?? '');
      reject(isOurs ? error : new EnvironmentError(['HOST is no address of this machine.']));
    };
    server.once('error', failed);
    server.listen(port, host, () => {
      server.off('error', failed);
      resolve();
    });
  });
}
