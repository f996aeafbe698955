import { PRESENCE_RPC, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { RpcClient, type RpcClientOptions } from '@tidings/common/rpc/rpc-client';

/** Storage answers a change of a conversation within 4.5 s; the rest is for its way. Milliseconds. */
export const CHANGE_CALL = { timeoutMs: 5_000 };

/** Storage's calls, as an injectable class. */
export class StorageClient extends RpcClient<typeof STORAGE_RPC> {
  constructor(options: RpcClientOptions) {
    super(STORAGE_RPC, options);
  }
}

/** Presence's calls, as an injectable class. */
export class PresenceClient extends RpcClient<typeof PRESENCE_RPC> {
  constructor(options: RpcClientOptions) {
    super(PRESENCE_RPC, options);
  }
}
