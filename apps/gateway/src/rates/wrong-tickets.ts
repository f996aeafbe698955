import { TidingsError } from '@tidings/protocol/errors';
import { clientNetwork } from '@tidings/common/runtime/client-network';
import type { AddressWindows } from './address-windows';
import type { SharedAddresses } from './shared-addresses';
import { rateLimited } from './user-rates';

/** The window in which refused tickets are counted. */
const REFUSED = 'ticket';

/**
 * Counts the tickets of an address that are refused, apart from its calls: many people behind one address move to
 * another gateway at once, and neither their good tickets nor what they asked before may keep them out. A good
 * ticket costs Redis no question for this: a gateway learns what the others counted with the next one that is wrong.
 */
export class WrongTickets {
  constructor(
    /** Per minute; 0: no limit. */
    private readonly limit: number,
    private readonly windows: Pick<AddressWindows, 'known' | 'ofAddress' | 'refused'>,
    private readonly shared: Pick<SharedAddresses, 'has'>,
  ) {}

  /** Takes a ticket while few were wrong. Throws `rate_limited`, and what `take` throws. */
  async bounded<T>(address: string | undefined, take: () => Promise<T>): Promise<T> {
    if (this.limit === 0 || this.shared.has(address)) return take();
    const network = clientNetwork(address);
    const { hits, leftMs } = this.windows.known(REFUSED, network);
    if (hits >= this.limit) {
      this.windows.refused('request');
      throw rateLimited(Math.ceil(leftMs / 1000) * 1000);
    }
    try {
      return await take();
    } catch (error) {
      if (error instanceof TidingsError && error.code === 'unauthorized') {
        await this.windows.ofAddress(REFUSED, network, this.limit);
      }
      throw error;
    }
  }
}
