import { TidingsClient } from '../client';
import type { ClientOptions } from '../client-options';
import { nodeSha256 } from './sha256';
import { wsTransport } from './ws-transport';

export { FileOutboxStore, removeOutboxFile } from './file-outbox';
export { lockFileText, takeLockFile } from './lock-file';
export { nodeSha256 } from './sha256';
export { wsTransport } from './ws-transport';

/**
 * A client for Node, with WebSockets by `ws` and SHA-256 by `node:crypto`; both can be replaced.
 */
export function nodeClient(
  options: Omit<ClientOptions, 'transport' | 'sha256'> & Partial<ClientOptions>,
): TidingsClient {
  return new TidingsClient({ transport: wsTransport(), sha256: nodeSha256, ...options });
}
