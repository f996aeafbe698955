import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { TOPICS } from '@tidings/common/log-events/topics';
import type { LogBatch } from '@tidings/common/kafka/consumer/log-handler';
import type { LogRecord } from '@tidings/common/log-events/record';
import type { RedisClient } from '@tidings/common/redis/client';
import { GatewayLease } from '@tidings/common/redis/lease';
import { PresencePartitions } from '@tidings/common/redis/presence-partitions';
import { PresenceStates } from '@tidings/common/redis/presence-states';
import { Metrics } from '@tidings/common/runtime/metrics';
import type { ToldChange } from '../../apps/presence/src/change-log';
import { rulesOf } from '../../apps/presence/src/domain/rules';
import { GatewayWatch } from '../../apps/presence/src/gateway-watch';
import { PresenceMetrics } from '../../apps/presence/src/presence.metrics';
import { PresenceService } from '../../apps/presence/src/presence.service';
import { Tracker } from '../../apps/presence/src/tracker';
import { UserWriter } from '../../apps/presence/src/user-writer';
import { RedisRig } from './redis-harness';

const RULES = rulesOf({ awayMs: 300_000, graceMs: 15_000 });
const logger = pino({ level: 'silent' });
const DEVICES = [randomUUID(), randomUUID()] as const;

interface Device {
  open: { generation: number; gateway: string; boot: string } | null;
  mode: 'front' | 'background';
  /** While nobody has heard of it: until when it is awaited. */
  awaitedUntilMs: number;
}

/** What happens to one user, as the servers live it, and what follows from it by the words of the protocol. */
class World {
  readonly userId = randomUUID();
  readonly told: (ToldChange & { atMs: number })[] = [];
  private readonly records: LogRecord[] = [];
  private readonly devices = DEVICES.map((): Device => {
    return { open: null, mode: 'front', awaitedUntilMs: -Infinity };
  });
  private activeAtMs = -Infinity;
  private readonly begunAtMs = Date.now();
  private passedMs = 0;
  private generations = 10;
  private readonly boots = new Map<string, { boot: string; aliveAtMs: number }>();
  private trackers: Tracker[] = [];
  private consumed = 0;
  /** What goes wrong next: the change does not get into the log, or the process ends before it could. */
  private fault: 'none' | 'full' | 'crash' = 'none';
  private readonly partitions;
  private readonly states;
  readonly service;

  constructor(
    redis: RedisClient,
    private readonly partition: number,
  ) {
    const partitions = new PresencePartitions(redis);
    this.partitions = Object.assign(Object.create(partitions) as PresencePartitions, {
      nowMs: async () => this.now,
    });
    const states = new PresenceStates(redis);
    this.states = Object.assign(Object.create(states) as PresenceStates, {
      read: async (userIds: readonly string[]) => {
        const read = await states.read(userIds);
        return { ...read, atUs: this.now * 1_000 };
      },
    });
    this.service = new PresenceService({
      states: this.states,
      partitions: this.partitions,
      partitionOf: () => partition,
      lastSeen: { find: async () => new Map() },
      redisReturn: { isRecent: false },
      metrics: new PresenceMetrics(new Metrics({ service: 'presence', node: 'p' })),
      logger,
    });
  }

  get now(): number {
    return this.begunAtMs + this.passedMs;
  }

  private get leases() {
    return {
      holders: async (ids: readonly string[]) => ids.map((id) => this.boots.get(id)?.boot ?? null),
      lastAlive: async (boots: readonly { gatewayId: string; bootId: string }[]) =>
        boots.map(({ bootId }) => this.dead.get(bootId) ?? null),
    };
  }
  private readonly dead = new Map<string, number>();

  private make(): Tracker {
    const metrics = new PresenceMetrics(new Metrics({ service: 'presence', node: randomUUID() }));
    const { partitions, states, leases } = this;
    return new Tracker({
      partitions,
      users: new UserWriter({
        states,
        partitions,
        leases,
        lastSeen: { find: async () => new Map() },
        changes: { append: (changes) => this.append(changes) },
        rules: RULES,
        metrics,
        defects: { note: (_kind, error) => Promise.reject(error) as never },
        logger,
      }),
      deadLetters: { put: async () => undefined },
      owns: () => true,
      metrics,
      logger,
    });
  }

  private async append(changes: readonly ToldChange[]): Promise<ReadonlySet<string>> {
    const fault = changes.length === 0 ? 'none' : this.fault;
    if (fault !== 'none') this.fault = 'none';
    if (fault === 'crash') throw new Error('the process has ended');
    if (fault === 'full') return new Set();
    this.told.push(...changes.map((change) => ({ ...change, atMs: this.now })));
    return new Set(changes.map(({ userId }) => userId));
  }

  private get tracker(): Tracker {
    return this.trackers.at(-1)!;
  }

  /** A process takes the partition and goes on from what was committed, or `again` from before it. */
  async restarts(again: number): Promise<void> {
    const tracker = this.make();
    const high = BigInt(this.records.length);
    this.consumed = Math.max(0, this.consumed - again);
    const committed = this.trackers.length === 0 ? null : BigInt(this.consumed);
    await tracker.assigned(this.partition, { committed, low: 0n, high });
    this.trackers.push(tracker);
    await this.reads();
  }

  /** The process before this one goes on as if nothing had happened. */
  async zombie(from: number): Promise<void> {
    const old = this.trackers.at(-2);
    const some = this.records.slice(from);
    if (!old) return;
    if (some.length > 0) await old.handle(this.batch(some));
    await old.tick();
  }

  async reads(): Promise<void> {
    for (let tries = 0; this.consumed < this.records.length; tries++) {
      if (tries > 5) throw new Error('a batch is not taken');
      const some = this.records.slice(this.consumed);
      const outcome = await this.tracker.handle(this.batch(some));
      if ('done' in outcome) this.consumed += some.length;
    }
  }

  private batch(records: LogRecord[]): LogBatch {
    const { offset } = records.at(-1)!;
    const next = {
      firstOffset: records[0]!.offset,
      nextOffset: offset + 1n,
      highWatermark: offset + 1n,
    };
    const rest = { lag: 0n, revoked: () => false, heartbeat: async () => undefined };
    return { topic: TOPICS.presence, partition: this.partition, records, ...next, ...rest };
  }

  async passes(ms: number): Promise<void> {
    // in steps, as the service looks
    for (let left = ms; left > 0; left -= 1_000) {
      this.passedMs += Math.min(left, 1_000);
      for (const boot of this.boots.values()) boot.aliveAtMs = this.now;
      await this.looks();
    }
  }

  private readonly watches = new WeakMap<Tracker, GatewayWatch>();
  private async looks(): Promise<void> {
    const { tracker, partitions, leases } = this;
    const metrics = { lostUsers: () => undefined };
    const watch =
      this.watches.get(tracker) ??
      new GatewayWatch({ tracker, partitions, leases, metrics, logger });
    this.watches.set(tracker, watch);
    await watch.look();
    await tracker.tick();
  }

  private write(type: string, event: object): Promise<void> {
    const value = Buffer.from(
      JSON.stringify({ userId: this.userId, at: new Date(0).toISOString(), ...event }),
    );
    const offset = BigInt(this.records.length);
    const head = {
      topic: TOPICS.presence,
      partition: this.partition,
      offset,
      key: this.userId,
      type,
      value,
    };
    const rest = {
      headers: {},
      id: 'i',
      source: 'g',
      time: '',
      epoch: 1,
      again: false,
      timestamp: this.now,
    };
    this.records.push({ ...head, ...rest });
    return this.reads();
  }

  private route(i: number, { generation, gateway, boot }: NonNullable<Device['open']>) {
    const place = { gatewayId: gateway, bootId: boot, connectionId: String(generation) };
    return { deviceId: DEVICES[i]!, generation: String(generation), ...place };
  }

  private bootOf(gateway: string): string {
    const known = this.boots.get(gateway);
    if (known) return known.boot;
    const boot = randomUUID();
    this.boots.set(gateway, { boot, aliveAtMs: this.now });
    return boot;
  }

  async connects(i: number, gateway: string): Promise<void> {
    const device = this.devices[i]!;
    const wasThere = device.open !== null || this.now < device.awaitedUntilMs;
    if (!wasThere) {
      device.mode = 'front';
      this.activeAtMs = this.now;
    }
    const old = device.open;
    device.open = { generation: ++this.generations, gateway, boot: this.bootOf(gateway) };
    const { open } = device;
    await this.write(EVENT_TYPES.connectionOpened, this.route(i, open));
    // its gateway tells late that the one before is gone
    if (old)
      await this.write(EVENT_TYPES.connectionClosed, { ...this.route(i, old), reason: 'replaced' });
  }

  async closes(i: number, reason: 'client' | 'lost'): Promise<void> {
    const device = this.devices[i]!;
    if (!device.open) return;
    const { open } = device;
    device.open = null;
    device.awaitedUntilMs =
      reason === 'client' ? -Infinity : this.now + RULES.graceMs + RULES.slackMs;
    await this.write(EVENT_TYPES.connectionClosed, { ...this.route(i, open), reason });
  }

  async acts(i: number, mode: 'front' | 'background' | null): Promise<void> {
    const device = this.devices[i]!;
    if (!device.open) return;
    const isActive = mode !== 'background';
    if (isActive) this.activeAtMs = this.now;
    if (mode) device.mode = mode;
    const event = { ...this.route(i, device.open), mode: mode ?? undefined };
    await this.write(EVENT_TYPES.activity, { ...event, kind: isActive ? 'user' : 'app' });
  }

  dies(gateway: string): void {
    const boot = this.boots.get(gateway);
    if (!boot) return;
    this.boots.delete(gateway);
    this.dead.set(boot.boot, boot.aliveAtMs);
    for (const device of this.devices) {
      if (device.open?.boot !== boot.boot) continue;
      device.open = null;
      device.awaitedUntilMs = boot.aliveAtMs + RULES.announceMs + RULES.graceMs + RULES.slackMs;
    }
  }

  breaks(fault: 'full' | 'crash'): void {
    this.fault = fault;
  }

  /** What happened, by the words of the protocol. */
  get status(): string {
    const there = this.devices.filter((d) => d.open !== null || this.now < d.awaitedUntilMs);
    if (there.length === 0) return 'offline';
    const lately = this.now < this.activeAtMs + RULES.awayMs;
    return lately && there.some(({ mode }) => mode === 'front') ? 'online' : 'away';
  }
}

const device = fc.nat(1);
const gateway = fc.constantFrom('g1', 'g2');
const happenings = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ what: fc.constant('connects' as const), device, gateway }),
    },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('closes' as const), device }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('loses' as const), device }) },
    {
      weight: 2,
      arbitrary: fc.record({
        what: fc.constant('acts' as const),
        device,
        mode: fc.constantFrom('front' as const, 'background' as const, null),
      }),
    },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('dies' as const), gateway }) },
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant('passes' as const),
        ms: fc.constantFrom(200, 1_000, 5_000, 14_000, 20_000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ what: fc.constant('restarts' as const), again: fc.nat(10) }),
    },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('zombie' as const), from: fc.nat(20) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        what: fc.constant('breaks' as const),
        fault: fc.constantFrom('full' as const, 'crash' as const),
      }),
    },
  ),
  { maxLength: 25 },
);
type Happening = typeof happenings extends fc.Arbitrary<(infer H)[]> ? H : never;

async function happens(world: World, one: Happening): Promise<void> {
  switch (one.what) {
    case 'connects':
      return world.connects(one.device, one.gateway);
    case 'closes':
      return world.closes(one.device, 'client');
    case 'loses':
      return world.closes(one.device, 'lost');
    case 'acts':
      return world.acts(one.device, one.mode);
    case 'dies':
      return world.dies(one.gateway);
    case 'passes':
      return world.passes(one.ms);
    case 'restarts':
      return world.restarts(one.again);
    case 'zombie':
      return world.zombie(one.from);
    case 'breaks':
      return world.breaks(one.fault);
  }
}

const number = (name: string): number | undefined => {
  const text = process.env[name];
  return text === undefined ? undefined : Number(text);
};

describe('presence, whatever happens in whatever order', () => {
  let rig: RedisRig;
  let redis: RedisClient;
  let partition = 0;

  beforeAll(async () => {
    rig = await RedisRig.start();
    redis = await rig.client();
    // what stands for gateways here is not asked of Redis
    expect(await new GatewayLease(redis).holders(['g1'])).toEqual([null]);
  });
  afterAll(() => rig?.stop());

  it("the last word of every watcher is GET's word, and what happened; no clock goes back", async () => {
    await fc.assert(
      fc.asyncProperty(happenings, async (list) => {
        const world = new World(redis, ++partition);
        await world.restarts(0);
        await world.passes(15_000);
        for (const one of list) await happens(world, one);
        // whatever was put off is done by then: a restart waits for two lease times
        await world.passes(16_000);
        // and what did not get into the log at the last moment
        await world.passes(2_000);
        const { told, service, status, userId } = world;
        const [got] = (await service.get({ viewerId: userId, userIds: [userId] })).items;
        const last = told.toSorted((a, b) => a.version - b.version).at(-1);
        expect(last?.word.status ?? 'offline').toBe(status);
        expect(got!.status).toBe(status);
        if (last) {
          const { lastSeenAtMs, activeAtMs } = last.word;
          const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
          expect([got!.lastSeenAt, got!.activeAt]).toEqual([iso(lastSeenAtMs), iso(activeAtMs)]);
        }
        const news = [...new Map(told.map((change) => [change.version, change])).values()];
        news.sort((a, b) => a.version - b.version);
        for (const [i, one] of news.entries()) {
          const before = news[i - 1];
          if (!before) continue;
          expect(one.word.lastSeenAtMs).toBeGreaterThanOrEqual(before.word.lastSeenAtMs ?? 0);
          expect(one.word.activeAtMs ?? 0).toBeGreaterThanOrEqual(before.word.activeAtMs ?? 0);
        }
      }),
      {
        numRuns: number('PROPERTY_RUNS') ?? 150,
        seed: number('PROPERTY_SEED'),
        path: process.env['PROPERTY_PATH'],
        interruptAfterTimeLimit: number('PROPERTY_MS') ?? 60_000,
      },
    );
  }, 400_000);
});
