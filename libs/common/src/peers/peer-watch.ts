import type { PeerLease } from '../redis/peer-directory';

/** One look at another node. */
export interface PeerSight {
  nodeId: string;
  /** The process whose members are in the groups. */
  bootId: string;
  /** What the node says of itself; null: its lease has lapsed. */
  lease: PeerLease | null;
  /** Whether Redis has the connection that the lease names; true when there is none to ask for. */
  linked: boolean;
}

/** A process that is gone, and by which sign. */
export interface Departure {
  nodeId: string;
  bootId: string;
  /** `connection`: Redis has lost it, as it does at once when a process is killed; `lease`: it fell silent. */
  sign: 'connection' | 'lease';
}

/** How often in a row a sign must be seen. A node whose connection was only lost says within 0.1 s that it has a new one. */
const LOOKS = 2;
/** After trouble of our own nobody is judged for this long, ms: the others may still be mending theirs. */
const SETTLE_MS = 2_000;

/**
 * Judges by looks at the other nodes which of them are gone. A mistake costs a rebalance and nothing
 * else, but every instance would make it at the same time when Redis or this machine hangs: so nobody
 * is judged by whom the same trouble may have hit.
 */
export class PeerWatch {
  private readonly signs = new Map<string, { what: string; looks: number }>();
  private aliveAt: number | null = null;
  private judgesFrom: number | null = null;

  constructor(private readonly options: { leaseMs: number }) {}

  /** The own lease was renewed. Times are milliseconds of a monotonic clock. */
  alive(now: number): void {
    const lapsed = this.aliveAt !== null && now - this.aliveAt > this.options.leaseMs;
    if (lapsed) this.disturbed(now);
    this.aliveAt = now;
    this.judgesFrom ??= now;
  }

  /** The own connection to Redis was lost and is back. The first one is no trouble. */
  disturbed(now: number): void {
    if (this.aliveAt === null) return;
    this.judgesFrom = now + SETTLE_MS;
    this.signs.clear();
  }

  /** Those who are gone by now. */
  look(sights: readonly PeerSight[], now: number): Departure[] {
    const { leaseMs } = this.options;
    const sound = this.aliveAt !== null && now - this.aliveAt <= leaseMs;
    if (!sound || this.judgesFrom === null || now < this.judgesFrom) return [];
    for (const nodeId of this.signs.keys()) {
      if (!sights.some((sight) => sight.nodeId === nodeId)) this.signs.delete(nodeId);
    }
    return sights.flatMap((sight) => this.judge(sight, now - this.judgesFrom! > leaseMs));
  }

  private judge({ nodeId, bootId, lease, linked }: PeerSight, longEnough: boolean): Departure[] {
    // a successor: it lets its predecessor go by itself
    const succeeded = lease !== null && lease.bootId !== bootId;
    const sign = lease === null ? 'lease' : 'connection';
    if (succeeded || (lease !== null && linked) || (lease === null && !longEnough)) {
      this.signs.delete(nodeId);
      return [];
    }
    const what = `${bootId} ${sign} ${lease?.clientId ?? ''}`;
    const known = this.signs.get(nodeId);
    const looks = known?.what === what ? known.looks + 1 : 1;
    this.signs.set(nodeId, { what, looks });
    return looks >= LOOKS ? [{ nodeId, bootId, sign }] : [];
  }
}
