import { randomUUID } from 'node:crypto';
import type { KafkaClient } from '../kafka/wire/client';
import {
  leaveGroups,
  type GroupMemberId,
  type MemberStore,
} from '../kafka/consumer/leave-predecessor';
import type { RedisClient } from '../redis/client';
import { PeerDirectory, type PeerMember } from '../redis/peer-directory';
import type { Logger } from '../runtime/logger';
import type { Metrics } from '../runtime/metrics';
import { PeerWatch, type Departure } from './peer-watch';

/**
 * How long a node counts as alive after it has last said so, and how often it says so, in
 * milliseconds.
 */
const LEASE_MS = 2_000;
const RENEW_MS = 500;
/** How often peers are observed, and how often they are listed again, in milliseconds. */
const LOOK_MS = 100;
const LIST_MS = 1_000;
/** How often this node's members are noted again: well below their time to live; milliseconds. */
const REFRESH_MS = 60_000;
/**
 * After its members were removed, a process is safe from that for this long, in milliseconds. One
 * that was only slow comes back: so a busy machine costs a rebalance now and then, not one after
 * another.
 */
const AGAIN_MS = { connection: 60_000, lease: 300_000 } as const;

export interface PeersOptions {
  redis: RedisClient;
  kafka: KafkaClient;
  nodeId: string;
  /** The consumer groups of this service, the most urgent first. */
  groups: readonly string[];
  logger: Logger;
  metrics: Metrics;
}

/**
 * The instances of one service, which share its consumer groups. A killed instance leaves its
 * partitions unread for a session timeout. Here its successor, or whichever instance first notices
 * that it is gone, sends LeaveGroup for it (decision 0026). Needs Redis: without it nothing is
 * noticed, and the session timeout decides. Nothing here rejects.
 */
export class Peers {
  private readonly directory: PeerDirectory;
  /** Of this run of the process. */
  readonly bootId = randomUUID();
  private readonly joined = new Map<string, PeerMember>();
  private readonly watch = new PeerWatch({ leaseMs: LEASE_MS });
  private readonly evictions;
  private clientId: string | null = null;
  /** The processes of the other nodes, as last listed. */
  private peers = new Map<string, string>();
  private listedAt = -Infinity;
  private looking = false;
  private stopped = false;
  private leaving: Promise<GroupMemberId[]> | null = null;
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(private readonly options: PeersOptions) {
    this.directory = new PeerDirectory(options.redis);
    this.evictions = options.metrics.counter(
      'peers_let_go_total',
      'Instances for which this one has sent LeaveGroup, by the sign that they were gone',
      ['sign'],
    );
  }

  /** Starts to announce that this node is alive, and to observe the others. */
  start(): void {
    const { redis } = this.options;
    redis.on('ready', () => void this.connected());
    redis.on('close', () => (this.clientId = null));
    if (redis.status === 'ready') void this.connected();
    this.every(RENEW_MS, () => this.renew());
    this.every(LOOK_MS, () => this.look());
    this.every(REFRESH_MS, () => this.refresh());
  }

  /** Ends that. The consumers leave their groups on their own. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timers.forEach((timer) => clearInterval(timer));
    const { nodeId } = this.options;
    const { bootId, clientId } = this;
    await this.quietly(async () => {
      for (const [groupId, member] of this.joined) {
        await this.directory.forget(groupId, nodeId, member);
      }
      if (clientId !== null) await this.directory.release(nodeId, { bootId, clientId });
    });
  }

  /**
   * Makes the members of this node's previous process leave the groups; the first call does it.
   * Resolves with the members for which that failed.
   */
  leavePredecessor(): Promise<GroupMemberId[]> {
    this.leaving ??= this.letGo(this.options.nodeId, (bootId) => bootId !== this.bootId).then(
      ({ failed }) => failed,
      () => [],
    );
    return this.leaving;
  }

  /** Where a group's consumer stores its member id. */
  storeOf(groupId: string): MemberStore {
    return {
      load: async () => {
        const left = await this.leavePredecessor();
        return left.find((member) => member.groupId === groupId) ?? null;
      },
      save: async (memberId) => {
        const member = { bootId: this.bootId, memberId };
        this.joined.set(groupId, member);
        await this.directory.join(groupId, this.options.nodeId, member);
      },
    };
  }

  private every(ms: number, work: () => Promise<void>): void {
    this.timers.push(setInterval(() => void this.quietly(work), ms).unref());
  }

  /** Redis is down: whoever uses it for more than this says so. */
  private async quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.options.logger.debug({ err: error }, 'peers were not looked at');
    }
  }

  /**
   * A new connection. The others must know it at once, or they would take the end of the old one
   * for ours.
   */
  private async connected(): Promise<void> {
    this.watch.disturbed(performance.now());
    await this.quietly(async () => {
      this.clientId = await this.directory.clientId();
      await this.renew();
    });
  }

  private async renew(): Promise<void> {
    const { bootId, clientId } = this;
    if (clientId === null || this.stopped) return;
    await this.directory.renew(this.options.nodeId, { bootId, clientId }, LEASE_MS);
    this.watch.alive(performance.now());
  }

  private async refresh(): Promise<void> {
    for (const [groupId, member] of this.joined) {
      await this.directory.join(groupId, this.options.nodeId, member);
    }
  }

  private async look(): Promise<void> {
    if (this.looking || this.stopped || this.clientId === null) return;
    this.looking = true;
    try {
      if (performance.now() - this.listedAt >= LIST_MS) await this.list();
      if (this.peers.size === 0) return;
      const nodeIds = [...this.peers.keys()];
      const leases = await this.directory.leases(nodeIds);
      const clientIds = leases.flatMap((lease) => lease?.clientId ?? []);
      const connected = await this.directory.connected(clientIds);
      const sights = nodeIds.map((nodeId, i) => {
        const lease = leases[i] ?? null;
        const linked = lease === null || connected === null || connected.has(lease.clientId);
        return { nodeId, bootId: this.peers.get(nodeId)!, lease, linked };
      });
      for (const departure of this.watch.look(sights, performance.now())) {
        await this.evict(departure);
      }
    } finally {
      this.looking = false;
    }
  }

  private async list(): Promise<void> {
    const { groups, nodeId: own } = this.options;
    const members = await this.directory.members(groups);
    this.listedAt = performance.now();
    this.peers = new Map();
    for (const group of members) {
      for (const [nodeId, { bootId }] of group) {
        if (nodeId !== own) this.peers.set(nodeId, bootId);
      }
    }
  }

  private async evict({ nodeId, bootId, sign }: Departure): Promise<void> {
    if (!(await this.directory.claimEviction(nodeId, bootId, AGAIN_MS[sign]))) return;
    const began = performance.now();
    const { left, failed } = await this.letGo(nodeId, (boot) => boot === bootId);
    this.listedAt = -Infinity;
    if (failed.length > 0) await this.directory.returnEviction(nodeId, bootId);
    if (left.length === 0 && failed.length === 0) return;
    this.evictions.inc({ sign });
    this.options.logger.warn(
      {
        peer: nodeId,
        sign,
        groups: left.map(({ groupId }) => groupId),
        failed: failed.map(({ groupId }) => groupId),
        ms: Math.round(performance.now() - began),
      },
      'another instance is gone: its partitions are free',
    );
  }

  /** Sends LeaveGroup for a node's members, and forgets those that have left. */
  private async letGo(
    nodeId: string,
    which: (bootId: string) => boolean,
  ): Promise<{ left: GroupMemberId[]; failed: GroupMemberId[] }> {
    const { groups, kafka } = this.options;
    const found = await this.directory.members(groups);
    const members = groups.flatMap((groupId, i) => {
      const member = found[i]?.get(nodeId);
      return member && which(member.bootId) ? [{ groupId, ...member }] : [];
    });
    const outcomes = await leaveGroups(kafka, members);
    const left = members.filter((_, i) => outcomes[i] === 'left');
    const failed = members.filter((_, i) => outcomes[i] === 'failed');
    await Promise.all(
      members
        .filter((_, i) => outcomes[i] !== 'failed')
        .map(({ groupId, ...member }) => this.directory.forget(groupId, nodeId, member)),
    );
    return { left, failed };
  }
}
