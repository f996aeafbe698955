import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyaddr from 'proxy-addr';

/** Whose `X-Forwarded-For` counts, as Express' `trust proxy`: so many hops, or addresses, networks and their names. */
export type TrustProxy = number | string[];

/** Tells from which address a request comes, an upgrade or another one. */
export class ClientAddresses {
  private readonly trusts: (address: string, hop: number) => boolean;

  /** Left out: there is no proxy. */
  constructor(trustProxy: TrustProxy = []) {
    this.trusts =
      typeof trustProxy === 'number'
        ? (_address, hop) => hop < trustProxy
        : proxyaddr.compile(trustProxy);
  }

  /**
   * The IP address of the client: what the last proxy that is trusted tells, or the peer's. Text of a
   * header that is no IP address counts as if it were not there. Undefined: the connection has ended.
   */
  of(request: Pick<IncomingMessage, 'headers' | 'socket'>): string | undefined {
    const { remoteAddress } = request.socket;
    if (!this.isProxy(remoteAddress)) return remoteAddress;
    const told = proxyaddr(request as IncomingMessage, this.trusts);
    return isAddress(told) ? told : remoteAddress;
  }

  /** Whether a peer speaks for others. */
  isProxy(peer: string | undefined): boolean {
    return peer !== undefined && this.trusts(peer, 0);
  }
}

/** A zone (RFC 4007) may be any text, and means nothing elsewhere. */
function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}
