import type { PeerLease } from '../redis/peer-directory';

/** One observation of another node. */
export interface PeerSight {
  nodeId: string;
  /** The process whose members are in the groups. */
  bootId: string;
  /** What the node says about itself; null: its lease has expired. */
  lease: PeerLease | null;
  /**
   * Whether Redis has the connection that the lease names; true when there is none to ask about.
   */
  linked: boolean;
}

/** A process that is gone, and the sign that showed it. */
export interface Departure {
  nodeId: string;
  bootId: string;
  /**
   * `connection`: Redis lost it, as happens at once when a process is killed. `lease`: it fell
   * silent.
   */
  sign: 'connection' | 'lease';
}

/**
 * How often in a row a sign must be seen. A node that only lost its connection reports a new one
 * within 0.1 s.
 */
const LOOKS = 2;
/**
 * After trouble of our own nobody is judged for this long, in milliseconds: the others may not have
 * recovered yet.
 */
const SETTLE_MS = 2_000;

/**
 * Judges from observations of the other nodes which of them are gone. A mistake costs only a
 * rebalance. But when Redis or this machine hangs, every instance would make it at the same time;
 * so a node judges nobody while the same trouble may have hit itself.
 */
export class PeerWatch {
  private readonly signs = new Map<string, { what: string; looks: number }>();
  private aliveAt: number | null = null;
  private judgesFrom: number | null = null;

  constructor(private readonly options: { leaseMs: number }) {}

  /** This node's lease was renewed. Times are milliseconds of a monotonic clock. */
  alive(now: number): void {
    const lapsed = this.aliveAt !== null && now - this.aliveAt > this.options.leaseMs;
    if (lapsed) this.disturbed(now);
    this.aliveAt = now;
    this.judgesFrom ??= now;
  }

  /** This node's connection to Redis was lost and is back. The first connection is no trouble. */
  disturbed(now: number): void {
    if (this.aliveAt === null) return;
    this.judgesFrom = now + SETTLE_MS;
    this.signs.clear();
  }

  /** The processes that are gone by now. */
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
    // a successor: it makes its predecessor leave itself
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
