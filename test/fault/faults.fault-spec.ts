import { mkdirSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { comparePositions } from '@tidings/common/contracts/positions';
import type { Stack } from '../../tools/stack/stack';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';
import { FaultHistory } from './fault-history';
import { longestSilence, Workload, type Talk } from './workload';

const SECONDS = 25;
const PER_SECOND = 200;
const CONVERSATIONS = 20;
const FAULT_AT_MS = 8_000;
const ENOUGH = 3_000;
const RESULTS = join(__dirname, '../../.data/faults');

interface Fault {
  name: string;
  /** Does the damage and repairs it; settles when the part is back. */
  strike: (stack: Stack) => Promise<void>;
  /** Whose silence counts: users whose devices are all elsewhere, or everybody. */
  elsewhere?: string;
  /** Longest silence in ms, during the whole fault (`whole`) or after the part was back. */
  silence: { whole: number } | { afterBack: number };
  /** How long people send; default {@link SECONDS}. */
  seconds?: number;
  /** Messages must have been held on gateways' disks, none may be left there. */
  held?: true;
}

const downFor = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const killed = (id: string) => async (stack: Stack) => {
  await stack.node(id).kill('SIGKILL');
  await downFor(1_000);
  await stack.node(id).restart();
};

const FAULTS: Fault[] = [
  {
    name: 'kill -9 of a gateway',
    strike: killed('gateway-1'),
    elsewhere: 'gateway-1',
    silence: { whole: 1_000 },
  },
  { name: 'kill -9 of session', strike: killed('session-1'), silence: { whole: 10_000 } },
  { name: 'kill -9 of storage', strike: killed('storage-1'), silence: { whole: 1_000 } },
  { name: 'restart of Kafka', strike: (s) => s.kafka.restart(), silence: { afterBack: 5_000 } },
  {
    name: 'Kafka away for 60 s',
    strike: async (stack) => {
      await stack.kafka.stop();
      await downFor(60_000);
      await stack.kafka.restart();
    },
    silence: { afterBack: 30_000 },
    seconds: 100,
    held: true,
  },
  { name: 'restart of PostgreSQL', strike: (s) => s.postgres.restart(), silence: { whole: 1_000 } },
  {
    name: 'restart of Redis',
    strike: async ({ redis }) => {
      await redis.stop();
      await downFor(1_000);
      await redis.restart();
    },
    silence: { afterBack: 5_000 },
  },
  {
    name: 'restart of Redis, emptied',
    strike: async ({ redis }) => {
      await redis.kill();
      await downFor(1_000);
      await redis.restartEmpty();
    },
    silence: { afterBack: 5_000 },
  },
];

/** Talks whose devices were all elsewhere when the fault struck. */
function counted(talks: Talk[], elsewhere: string | undefined): Talk[] {
  if (elsewhere === undefined) return talks;
  return talks.filter((t) => t.ends.flat().every((d) => d.client.gatewayId !== elsewhere));
}

/** Asks for a history page all the time and tells whether one was refused, late or delayed. */
class Probe {
  troubles = 0;
  private running = true;
  private readonly done: Promise<void>;

  constructor(private readonly talk: Talk) {
    this.done = this.loop();
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.done;
  }

  private async loop(): Promise<void> {
    const user = this.talk.reader;
    while (this.running) {
      for (const base of user.bases) {
        const began = performance.now();
        const path = `/v1/conversations/${this.talk.id}/messages?limit=1`;
        const ok = await user
          .http<{ delayed?: boolean }>('GET', path, undefined, { base })
          .then((a) => a.status === 200 && a.body.delayed !== true)
          .catch(() => false);
        if (!ok || performance.now() - began > 1_000) this.troubles++;
      }
      await downFor(50);
    }
  }
}

describe.each(FAULTS)('$name', ({ name, strike, elsewhere, silence, seconds = SECONDS, held }) => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let workload: Workload;
  let history: FaultHistory;

  beforeAll(async () => {
    mkdirSync(RESULTS, { recursive: true });
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 2, storage: 2, presence: 1 },
    }));
    history = new FaultHistory(join(RESULTS, `${name.replace(/[^a-zA-Z0-9]+/g, '-')}.jsonl`));
    workload = new Workload(stack.gatewayUrls, history);
    await workload.prepare(CONVERSATIONS);
  }, 300_000);
  afterAll(async () => {
    history?.flush();
    await workload?.stop();
    await stop?.();
  }, 120_000);

  it('loses nothing, doubles nothing, keeps one order, and is soon over', async () => {
    const probe = new Probe(workload.talks[0]!);
    const running = workload.run(PER_SECOND, seconds);
    await downFor(FAULT_AT_MS);
    const before = probe.troubles;
    const watched = counted(workload.talks, elsewhere);
    history.note({ operation: 'fault', value: name });
    const struck = performance.now();
    await strike(stack);
    const back = performance.now();
    history.note({ operation: 'back', value: name });
    await running;
    const stopped = performance.now();
    await probe.stop();
    await workload.settle(90_000);
    // what was held may arrive when nobody sends any more
    const ended = held ? Math.max(...watched.flatMap((t) => t.arrivals)) : stopped;

    const silences = watched.map((t) => longestSilence(t.arrivals, struck, ended));
    const after = silences.map((s) => Math.max(0, s.endedAt - back));
    const longest = Math.max(...silences.map((s) => s.ms));
    const lateness = Math.max(...after.map((ms, i) => Math.min(ms, silences[i]!.ms)));
    const report = {
      fault: name,
      at: new Date().toISOString(),
      acknowledged: workload.acknowledged.length,
      failed: workload.failed.length,
      watchedConversations: watched.length,
      longestSilenceMs: Math.round(longest),
      silenceAfterBackMs: Math.round(lateness),
      downMs: Math.round(back - struck),
      troubledProbes: probe.troubles - before,
      held: workload.held,
      settledMs: Math.round(performance.now() - back),
    };
    appendFileSync(join(RESULTS, 'report.jsonl'), JSON.stringify(report) + '\n');
    console.log(JSON.stringify(report));

    expect(watched.length).toBeGreaterThan(0);
    expect(workload.acknowledged.length).toBeGreaterThanOrEqual(ENOUGH);
    expect(workload.failed).toEqual([]);
    expect(workload.acknowledged).toHaveLength(PER_SECOND * seconds);
    // the fault was visible
    expect(report.troubledProbes > 0 || longest > 500).toBe(true);
    if (held) {
      expect(workload.held).toBeGreaterThan(ENOUGH);
      await spoolsAreEmpty(stack);
    }
    for (const talk of workload.talks) await holdsTogether(workload, talk, history);
    if ('whole' in silence) expect(longest).toBeLessThanOrEqual(silence.whole);
    else expect(lateness).toBeLessThanOrEqual(silence.afterBack);
  }, 600_000);
});

/** No gateway has messages on its disk. */
async function spoolsAreEmpty(stack: Stack): Promise<void> {
  for (const url of stack.gatewayUrls) {
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(/^tidings_spool_entries\{[^}]*\} (\S+)$/m.exec(text)?.[1]).toBe('0');
  }
}

/** History, every device and a fresh device hold the same messages in the same order. */
async function holdsTogether(workload: Workload, talk: Talk, history: FaultHistory): Promise<void> {
  const sent = workload.acknowledged.filter((a) => a.conversationId === talk.id);
  const stored = await eventually(async () => {
    const all = await talk.reader.history(talk.id);
    expect(all.length).toBeGreaterThanOrEqual(sent.length);
    return all;
  }, 20_000);
  history.page(talk.id, stored);
  const order = stored.map((m) => `${m.position} ${m.messageId}`);
  const sorted = [...stored].sort((a, b) => comparePositions(a.position, b.position));
  expect(stored).toEqual(sorted);
  expect(new Set(stored.map((m) => m.messageId)).size).toBe(stored.length);
  const positions = new Map(stored.map((m) => [m.messageId, m.position]));
  for (const one of sent) expect(positions.get(one.messageId)).toBe(one.position);
  const texts = new Set(stored.filter((m) => m.content.kind === 'text').map((m) => m.messageId));
  for (const device of talk.ends.flat()) {
    await eventually(() => {
      const held = device.client.messages(talk.id).map((m) => `${m.position} ${m.messageId}`);
      expect(held).toEqual(order);
    }, 20_000);
    const shown = [...device.shown].filter(([id]) => texts.has(id));
    expect(shown.length).toBe(texts.size);
    expect(shown.every(([, times]) => times === 1)).toBe(true);
  }
  const fresh = (await workload.fresh(talk)).map((m) => `${m.position} ${m.messageId}`);
  expect(fresh).toEqual(order);
}
