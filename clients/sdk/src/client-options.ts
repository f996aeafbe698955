import type { Clock, Random } from './clock';
import type { OutboxStore } from './outbox-store';
import type { Page } from './page';
import type { Hash } from './sha256';
import type { SaveLogin } from './tokens';
import type { Transport } from './transport';

/** What a client is made with. */
export interface ClientOptions {
  /** Base addresses of gateways, e.g. `http://127.0.0.1:8080`; the first that answers is used. */
  servers: readonly string[];
  transport: Transport;
  sha256: Hash;
  /** Where unsent messages are kept; in memory when absent. */
  outbox?: OutboxStore;
  /** Keeps the login between runs. */
  saveLogin?: SaveLogin;
  fetch?: typeof fetch;
  /** Whose visibility and acts are the user's; default: the page that the client runs in. Null: none. */
  page?: Page | null;
  clock?: Clock;
  random?: Random;
}
