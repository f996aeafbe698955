import type { Clock, Random } from './clock';
import type { OutboxStore } from './outbox-store';
import type { Hash } from './sha256';
import type { SaveSession } from './tokens';
import type { Transport } from './transport';

/** What a client is made with. */
export interface ClientOptions {
  /** Base addresses of gateways, e.g. `http://127.0.0.1:8080`; the first that answers is used. */
  servers: readonly string[];
  transport: Transport;
  sha256: Hash;
  /** Where unsent messages are kept; in memory when absent. */
  outbox?: OutboxStore;
  /** Keeps the session between runs. */
  saveSession?: SaveSession;
  fetch?: typeof fetch;
  clock?: Clock;
  random?: Random;
}
