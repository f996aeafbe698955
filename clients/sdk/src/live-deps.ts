import type { TidingsApi } from './api';
import type { ClientEvents } from './client-events';
import type { Clock, Random } from './clock';
import type { StopReason } from './connection';
import type { OutboxStore } from './outbox-store';
import type { ServerTime } from './server-time';
import type { Hash } from './sha256';
import type { Transport } from './transport';

/** What the live part of a client is made of. */
export interface LiveDeps {
  userId: string;
  deviceId: string;
  api: TidingsApi;
  transport: Transport;
  sha256: Hash;
  store: OutboxStore;
  serverTime: ServerTime;
  clock: Clock;
  random: Random;
  emit<K extends keyof ClientEvents>(name: K, event: ClientEvents[K]): void;
  /** The server ended the connection for good. */
  ended(reason: StopReason): void;
}
