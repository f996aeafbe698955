import { clientNetwork } from '@tidings/common/runtime/client-network';
import { FairTurns } from '@tidings/common/runtime/fair-turns';

/** Calls that may be under way: fewer than the connections to a storage node, which others need, too. */
const CONCURRENCY = 24;
/** How many may wait: in all, of a network, of one network for one account; more are `busy`. */
const WAITING = { total: 600, perNetwork: 200, perFlow: 64 };
/** A client that waited this long has given up, milliseconds. */
const WAIT_LIMIT_MS = 2_500;

/**
 * The way of calls that hash a password to storage. They take their time: a flood of them must neither
 * hold all connections to storage nor make others wait behind it.
 */
export class HashCalls {
  private readonly turns: FairTurns;

  constructor() {
    const detail = 'Too many people log in or register right now';
    this.turns = new FairTurns({
      concurrency: CONCURRENCY,
      limits: WAITING,
      waitLimitMs: WAIT_LIMIT_MS,
      detail,
    });
  }

  /** Calls that wait for their turn, and that were refused so far. */
  get load(): { queued: number; refused: number } {
    return { queued: this.turns.queued, refused: this.turns.refused };
  }

  /** Calls for a client's address and the account that it names. Throws `busy`. */
  take<T>(address: string | undefined, account: string, call: () => Promise<T>): Promise<T> {
    return this.turns.take({ network: clientNetwork(address), account }, call);
  }
}
