import type { Clock, Random } from './clock';
import type { OutboxStore } from './outbox-store';
import type { Page } from './page';
import type { Hash } from './sha256';
import type { SaveLogin } from './tokens';
import type { Transport } from './transport';

/** What a client is created with. */
export interface ClientOptions {
  /**
   * Base addresses of gateways, e.g. `http://127.0.0.1:8080`. The first one that answers is used.
   */
  servers: readonly string[];
  transport: Transport;
  sha256: Hash;
  /** Where unsent messages are kept. Default: in memory. */
  outbox?: OutboxStore;
  /** Saves the login between runs. */
  saveLogin?: SaveLogin;
  fetch?: typeof fetch;
  /**
   * The page whose visibility and input are the user's. Default: the page that the client runs in.
   * Null: none.
   */
  page?: Page | null;
  clock?: Clock;
  random?: Random;
}
