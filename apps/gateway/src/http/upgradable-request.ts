import { IncomingMessage } from 'node:http';

/**
 * A request that counts as an upgrade only when it asks for WebSocket. A server may ignore any other
 * `Upgrade` (RFC 9110 §7.8) and answer the request as if it were not there: Java's HttpClient and
 * `curl --http2` offer `h2c` with every call. Node's server, once something listens for upgrades, takes
 * all of them for one, by this property; `shouldUpgradeCallback`, which does the same, is not in
 * every Node that is supported.
 */
export class UpgradableRequest extends IncomingMessage {
  private asksForUpgrade: boolean | null = null;

  get upgrade(): boolean {
    if (this.asksForUpgrade !== true) return false;
    return this.method === 'CONNECT' || this.headers.upgrade?.toLowerCase() === 'websocket';
  }

  /** Set by Node: whether the headers ask for an upgrade, then whether the server takes it. */
  set upgrade(asked: boolean | null) {
    this.asksForUpgrade = asked;
  }
}
