/** Whose work it is: there is a queue per network, and within it one per account. */
export interface Flow {
  network: string;
  account: string;
}

/** How many may wait: in total, of one network, of one network and account. */
export interface QueueLimits {
  total: number;
  perNetwork: number;
  perFlow: number;
}

interface NetworkLine<T> {
  accounts: Map<string, T[]>;
  size: number;
}

/**
 * A bounded queue that takes turns: between networks, and within a network between its accounts,
 * each in order of arrival (deficit round robin with equal costs: Shreedhar and Varghese, 1995).
 * When it is full, the longest queue loses its last item (McKenney, "Stochastic fairness queueing",
 * 1990), so that nobody can fill it for others.
 */
export class FairQueue<T> {
  /** In the order of their turns: a `Map` keeps the order of insertion. */
  private readonly networks = new Map<string, NetworkLine<T>>();
  private waiting = 0;

  constructor(private readonly limits: QueueLimits) {}

  get size(): number {
    return this.waiting;
  }

  /**
   * Queues an item. Returns the item that is refused for it, if any: itself, or the last of a
   * longer queue.
   */
  push({ network, account }: Flow, item: T): T | null {
    const line = this.networks.get(network) ?? { accounts: new Map<string, T[]>(), size: 0 };
    const items = line.accounts.get(account) ?? [];
    if (items.length >= this.limits.perFlow) return item;
    let refused: T | null = null;
    if (line.size >= this.limits.perNetwork) {
      const [longest, theirs] = longestOf(line.accounts, (list) => list.length);
      if (theirs.length <= items.length + 1) return item;
      refused = this.dropLast(network, line, longest);
    } else if (this.waiting >= this.limits.total) {
      const [name, longest] = longestOf(this.networks, (one) => one.size);
      if (longest.size <= line.size + 1) return item;
      const [theirs] = longestOf(longest.accounts, (list) => list.length);
      refused = this.dropLast(name, longest, theirs);
    }
    items.push(item);
    line.accounts.set(account, items);
    line.size += 1;
    this.waiting += 1;
    this.networks.set(network, line);
    return refused;
  }

  /** The item whose turn it is; undefined: none is waiting. */
  shift(): T | undefined {
    const [network, line] = this.networks.entries().next().value ?? [];
    if (network === undefined || !line) return undefined;
    const [account, items] = line.accounts.entries().next().value!;
    const item = items.shift();
    line.size -= 1;
    this.waiting -= 1;
    line.accounts.delete(account);
    if (items.length > 0) line.accounts.set(account, items);
    this.networks.delete(network);
    if (line.size > 0) this.networks.set(network, line);
    return item;
  }

  private dropLast(network: string, line: NetworkLine<T>, account: string): T {
    const items = line.accounts.get(account)!;
    const last = items.pop()!;
    if (items.length === 0) line.accounts.delete(account);
    line.size -= 1;
    this.waiting -= 1;
    if (line.size === 0) this.networks.delete(network);
    return last;
  }
}

function longestOf<V>(lines: ReadonlyMap<string, V>, lengthOf: (line: V) => number): [string, V] {
  let longest: [string, V] | undefined;
  for (const entry of lines) {
    if (!longest || lengthOf(entry[1]) > lengthOf(longest[1])) longest = entry;
  }
  return longest!;
}
