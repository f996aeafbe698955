import { monotonicMs } from './clock';
import { GeneratorHandle } from './generator-handle';
import { type LatencySummary, summaryOf } from './generator/latency';
import type { LoopLag } from './generator/loop-lag';
import type {
  ConnectPlan,
  ConnectResult,
  ConversationPlan,
  Drained,
  FinishPlan,
  GeneratorAccount,
  GeneratorResult,
  Phase,
  RunPlan,
} from './generator/protocol';
import { mergeConnects, mergeDrained, mergeResults } from './merge-results';
import type { WatchedProcess } from './processes';
import { generatorName } from './usage';

/** Between the word to begin and the first message: all generators have it by then. */
const LEAD_MS = 200;

/** How one generator kept up with its part of a run. */
export interface GeneratorLoad {
  name: string;
  /** messages of its part, in the run phase */
  scheduled: number;
  sent: number;
  /** written to the socket − scheduled, milliseconds */
  scheduleLag: LatencySummary;
  /** how late its event loop came to a timer in the run phase, milliseconds */
  loopLag: LoopLag;
  /** scheduled → on a device of another member, of its conversations */
  delivered: LatencySummary;
}

/** What is known of a run, together and by generator. */
export interface Finished {
  result: GeneratorResult;
  generators: GeneratorLoad[];
}

/**
 * One load from several processes. Each has whole conversations with all their devices, and sends those messages of
 * one schedule whose senders it has.
 */
export class Generators {
  private readonly handles: GeneratorHandle[];
  /** generator of each device that is in a conversation */
  private readonly owners: readonly number[];
  /** phases that were told, by generator; and those that the first of them has told */
  private readonly told: number[];
  private phases = 0;

  /**
   * @param conversations who writes to whom; devices in none of them are dealt out in turn
   * @param onPhase told when the first generator begins a phase, in the same turn as its message arrives
   */
  constructor(
    { count, pin }: { count: number; pin: number | null },
    private readonly conversations: readonly ConversationPlan[],
    private readonly onPhase: (phase: Phase) => void,
  ) {
    this.told = new Array<number>(count).fill(0);
    this.handles = this.told.map(
      (_, i) => new GeneratorHandle((phase) => this.tellPhase(i, phase), pin),
    );
    this.owners = ownersOf(conversations, count);
  }

  /** Them, with their names in the accounts. */
  get processes(): WatchedProcess[] {
    return this.handles.map(({ pid }, i) => {
      return { name: generatorName(i, this.handles.length), pid };
    });
  }

  /** Opens sockets for further devices. Rejects when one of them gets none. */
  async connect(plan: Omit<ConnectPlan, 'indices'>, from = 0): Promise<ConnectResult> {
    const concurrency = Math.ceil(plan.concurrency / this.handles.length);
    return mergeConnects(
      await this.all((handle, i) => {
        const indices = plan.devices
          .map((_, at) => from + at)
          .filter((index) => this.ownerOf(index) === i);
        const devices = indices.map((index) => plan.devices[index - from]!);
        return handle.call('connect', { ...plan, devices, indices, concurrency });
      }),
    );
  }

  /** Sends the whole schedule, each its part from the same moment on, and waits for what is missing. */
  async run(plan: Omit<RunPlan, 'conversations' | 'senders'>): Promise<Drained> {
    const senders = this.conversations.reduce((sum, { devices }) => sum + devices.length, 0);
    await this.all((handle, i) => {
      const conversations = this.conversations.filter(({ devices }) => {
        return this.ownerOf(devices[0]!) === i;
      });
      return handle.call('prepare', { ...plan, conversations, senders });
    });
    const startMs = monotonicMs() + LEAD_MS;
    return mergeDrained(await this.all((handle) => handle.call('run', { startMs })));
  }

  /** Looks into the store; what is known of the run. */
  async finish(plan: FinishPlan): Promise<Finished> {
    const accounts = await this.all((handle) => handle.call('finish', plan));
    return {
      result: mergeResults(accounts.map(({ result }) => result)),
      generators: accounts.map((account, i) => {
        return loadOf(generatorName(i, accounts.length), account);
      }),
    };
  }

  /** Closes the sockets and ends the processes, in bounded time. */
  async stop(): Promise<void> {
    await Promise.all(this.handles.map((handle) => handle.stop()));
  }

  private ownerOf(device: number): number {
    return this.owners[device] ?? device % this.handles.length;
  }

  private all<T>(call: (handle: GeneratorHandle, index: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.handles.map(call));
  }

  private tellPhase(generator: number, phase: Phase): void {
    if (this.told[generator]!++ < this.phases) return;
    this.phases++;
    this.onPhase(phase);
  }
}

/**
 * Which generator each device belongs to: conversations in runs of neighbours, so that each generator has them on all
 * gateways alike.
 */
export function ownersOf(
  conversations: readonly Pick<ConversationPlan, 'devices'>[],
  count: number,
): number[] {
  const owners: number[] = [];
  conversations.forEach(({ devices }, i) => {
    const owner = Math.floor((i * count) / conversations.length);
    for (const device of devices) owners[device] = owner;
  });
  return owners;
}

function loadOf(name: string, { result, loopLag }: GeneratorAccount): GeneratorLoad {
  return {
    name,
    scheduled: result.runScheduled,
    sent: result.runSent,
    scheduleLag: summaryOf([result.scheduleLag]),
    loopLag,
    delivered: summaryOf([result.latency.delivered]),
  };
}
