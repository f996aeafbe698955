import { Client } from 'pg';
import type { LoadOptions } from './args';
import { expectedStates } from './expected-states';
import { GeneratorHandle } from './generator-handle';
import type { ConnectsPlan, ConnectsResult, SyncKind } from './generator/connects-protocol';
import type { DevicePlan, Phase } from './generator/protocol';
import { GENERATOR, type Usage, readUsage, usage } from './usage';
import { PresenceProbe, presenceChanges } from './presence-probe';
import { findEntrance, devicesOf } from './product';
import { messageRowsRead } from './rows-read';
import { seedTalkers } from './seed-users';
import { type SyncFacts, judgeSyncs } from './sync-verdict';
import type { Target } from './target';
import type { Verdict } from './verdict';

/** Everything known about one run of connects or calls. */
export interface SyncReport extends SyncFacts {
  /** what was done, in words */
  name: string;
  seed: number;
  verdict: Verdict;
  /** CPU µs per connect or call of the run phase, by process */
  cpuUsPerSync: Record<string, number>;
  generatorShare: number;
  /** cores that other programs used meanwhile */
  foreignCores: number;
}

/** One run: by which call of the generator, of what kind, and what is watched meanwhile. */
interface Step {
  name: string;
  call: 'connects' | 'posts';
  kind: SyncKind;
  watch: { rows?: boolean; presence?: 'still' | 'moves' };
}

const STEPS: Record<'connects' | 'sync-http', Step[]> = {
  connects: [
    {
      name: 'connect, first sync of a new device',
      call: 'connects',
      kind: 'new',
      watch: {},
    },
    {
      name: 'connect, equal digests',
      call: 'connects',
      kind: 'equal',
      watch: { rows: true },
    },
  ],
  'sync-http': [
    {
      name: 'POST /v1/sync, equal digests',
      call: 'posts',
      kind: 'equal',
      watch: { rows: true, presence: 'still' },
    },
    {
      name: 'connect, equal digests, disconnect',
      call: 'connects',
      kind: 'equal',
      watch: { presence: 'moves' },
    },
  ],
};

/** Measures what users pay who come back: connects and syncs, on a log in which nothing else happens. */
export class SyncMeasurement {
  private readonly client: Client;
  private readings: Partial<Record<Phase, Usage>> = {};

  constructor(
    private readonly target: Target,
    private readonly options: LoadOptions,
    private readonly abort: AbortSignal,
  ) {
    this.client = new Client({ connectionString: target.databaseUrl });
    this.client.on('error', () => undefined);
  }

  /** Seeds, then runs every step; `done` is told each report. */
  async run(
    name: keyof typeof STEPS,
    seed: number,
    done: (report: SyncReport) => void,
  ): Promise<void> {
    this.abort.throwIfAborted();
    const { workload, users, textBytes, pin } = this.options;
    const plan = { count: users, each: workload.conversations, messages: workload.history };
    const talkers = await seedTalkers(this.target, { ...plan, textBytes }, this.abort);
    const devices = devicesOf(this.target, talkers);
    const entrance = await findEntrance(this.target, devices);
    const generator = new GeneratorHandle((phase) => {
      this.readings[phase] = readUsage(this.processes(generator));
    }, pin);
    const onAbort = (): void => void generator.stop();
    this.abort.addEventListener('abort', onAbort);
    try {
      await this.client.connect();
      const ids = devices.map(({ userId }) => userId);
      const expected = await expectedStates(this.client, ids, workload.conversations);
      for (const step of STEPS[name]) {
        done(await this.step(generator, step, { entrance, devices, expected, seed }));
      }
    } finally {
      this.abort.removeEventListener('abort', onAbort);
      await this.client.end().catch(() => undefined);
      await generator.stop();
    }
  }

  private async step(
    generator: GeneratorHandle,
    { name, call, kind, watch }: Step,
    who: Pick<ConnectsPlan, 'entrance' | 'devices' | 'expected' | 'seed'>,
  ): Promise<SyncReport> {
    const { rate, warmupSeconds, seconds } = this.options;
    const times = { ratePerSecond: rate, warmupMs: warmupSeconds * 1000, runMs: seconds * 1000 };
    const run = (): Promise<ConnectsResult> => generator.call(call, { ...who, kind, ...times });
    // what the devices hold was asked for before: the look at rows and presence begins behind that
    if (kind === 'equal') await generator.call('learn', { ...who, kind, ...times });
    this.readings = {};
    const rowsBefore = watch.rows ? await messageRowsRead(this.client, this.abort) : null;
    const { result, presence } = watch.presence
      ? await this.watched(who.devices, run)
      : { result: await run(), presence: null };
    const rowsRead =
      rowsBefore === null ? null : (await messageRowsRead(this.client, this.abort)) - rowsBefore;
    const { run: before, end: after } = this.readings;
    if (!before || !after) throw new Error('the generator told no phases');
    const used = usage(before, after, result.runStarted);
    const facts: SyncFacts = {
      result,
      rowsRead,
      presence,
      presenceMoves: watch.presence === 'moves',
    };
    return {
      name,
      seed: who.seed,
      ...facts,
      verdict: judgeSyncs(facts, used.generatorShare),
      cpuUsPerSync: used.cpuUsPerMessage,
      generatorShare: used.generatorShare,
      foreignCores: used.foreignCores,
    };
  }

  private async watched(
    devices: readonly DevicePlan[],
    run: () => Promise<ConnectsResult>,
  ): Promise<{ result: ConnectsResult; presence: { events: number; users: number } }> {
    const probe = new PresenceProbe(this.target, devices);
    try {
      const before = await probe.look();
      const result = await run();
      return { result, presence: presenceChanges(before, await probe.look()) };
    } finally {
      probe.stop();
    }
  }

  private processes(generator: GeneratorHandle): { name: string; pid: number }[] {
    const { nodes, servers } = this.target;
    const services = nodes.map(({ id, pid }) => ({ name: id, pid }));
    return [...services, ...servers, { name: GENERATOR, pid: generator.pid }];
  }
}
