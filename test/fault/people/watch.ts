import { readdirSync } from 'node:fs';
import { createKafka } from '@tidings/common/kafka/wire/client';
import { type GroupView, viewGroups } from '@tidings/common/kafka/wire/cluster-view';
import { residentBytes } from '../../../tools/load/processes';
import type { Stack } from '../../../tools/stack/stack';
import { downFor } from '../fault';

const SAMPLE_MS = 200;
const LAG_SAMPLE_MS = 500;
const MIB = 2 ** 20;

/** By service. */
export type ByService = Record<string, number>;

/** What the services take of the machine during a run, and how far behind the log they are. */
export class Watch {
  /** Largest resident set of any process, MiB. */
  readonly peakMiB: ByService = {};
  /** Records that were not committed yet, of all groups; null: nobody could say. */
  private readonly lags: { at: number; lag: number | null }[] = [];
  private running = true;
  private readonly work: Promise<unknown>;

  constructor(private readonly stack: Stack) {
    this.work = Promise.all([this.sample(), this.sampleLag()]);
  }

  async end(): Promise<void> {
    this.running = false;
    await this.work;
  }

  /** Open handles: files, sockets and pipes of all instances. */
  handles(): ByService {
    return this.sum((pid) => readdirSync(`/proc/${pid}/fd`).length);
  }

  /** Resident sets of all instances, MiB. */
  residentMiB(): ByService {
    return this.sum((pid) => Math.round(residentBytes(pid) / MIB));
  }

  /**
   * How long after a moment (monotonic milliseconds) consumers were no further behind than before the
   * fault, and stayed so, milliseconds; null: they were not, in the end.
   */
  caughtUpAfter(struckMs: number, sinceMs: number): number | null {
    const before = this.lags.filter(({ at, lag }) => at < struckMs && lag !== null);
    const usual = Math.max(...before.map(({ lag }) => lag!));
    const after = this.lags.filter(({ at }) => at >= sinceMs);
    const lastBad = after.findLastIndex(({ lag }) => lag === null || lag > usual);
    if (lastBad === after.length - 1) return null;
    return Math.round(after[lastBad + 1]!.at - sinceMs);
  }

  /** How long it takes from now until nothing is left to be read, milliseconds. */
  async lagZero(withinMs: number): Promise<number> {
    const began = performance.now();
    for (;;) {
      const behind = await behindIn(this.stack);
      if (behind.length === 0) return Math.round(performance.now() - began);
      if (performance.now() - began > withinMs) {
        const words = behind.map((one) => `${one.group} ${one.state} ${one.members}: ${one.lag}`);
        throw new Error(`consumers stay behind: ${words.join(', ')}`);
      }
      await downFor(SAMPLE_MS);
    }
  }

  private async sample(): Promise<void> {
    while (this.running) {
      for (const { service, pid } of this.alive()) {
        const mib = Math.round(residentBytes(pid) / MIB);
        this.peakMiB[service] = Math.max(this.peakMiB[service] ?? 0, mib);
      }
      await downFor(SAMPLE_MS);
    }
  }

  private async sampleLag(): Promise<void> {
    while (this.running) {
      const at = performance.now();
      this.lags.push({ at, lag: await lagOf(this.stack).catch(() => null) });
      await downFor(LAG_SAMPLE_MS);
    }
  }

  private sum(measure: (pid: number) => number): ByService {
    const sums: ByService = {};
    for (const { service, pid } of this.alive()) {
      sums[service] = (sums[service] ?? 0) + measure(pid);
    }
    return sums;
  }

  private alive(): { service: string; pid: number }[] {
    const nodes = Object.values(this.stack.nodes).filter((node) => node.isAlive());
    return nodes.map(({ service, pid }) => ({ service, pid }));
  }
}

async function lagOf(stack: Stack): Promise<number> {
  const groups = await behindIn(stack);
  return groups.reduce((sum, { lag }) => sum + Number(lag), 0);
}

/** Groups that have something left to read. */
async function behindIn(stack: Stack): Promise<GroupView[]> {
  const kafka = createKafka({ brokers: stack.brokers.split(','), clientId: 'watch' });
  const groups = await viewGroups(kafka);
  return groups.filter(({ lag }) => lag !== null && lag > 0n);
}
