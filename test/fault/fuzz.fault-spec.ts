import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { residentBytes } from '../../tools/load/processes';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';
import { CheapTalk, sendEvenly } from './cheap-talk';
import { downFor } from './fault';
import { FaultHistory } from './fault-history';
import { FrameFuzz } from './frame-fuzz';
import { HttpFuzz } from './http-fuzz';

/** Of each of the two attacks. */
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 60);
/**
 * Of both together, before memory is looked at: everything has then been loaded and compiled, and heaps
 * have come to the size that this rate of garbage gives them.
 */
const WARM_UP_SECONDS = Math.min(SECONDS, 45);
const SAMPLE_MS = 10_000;
const QUIET_SECONDS = 5;
/** What a failure printed, to send the same again. */
const SEED = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 2 ** 31);
/** Messages of the two pairs together. */
const PER_SECOND = 20;
const USERS = 4;
const DEVICES = 4;
const MIB = 2 ** 20;
const GROWTH_MIB = 50;
/** Fewer show nothing: 200 and 100 a second are tried, a busy machine takes fewer. */
const LEAST_FRAMES = 40 * SECONDS;
const LEAST_REQUESTS = 20 * SECONDS;
/** A message of the pairs, from its send to its push, milliseconds. */
const MAX_DELAY_MS = 2_000;
const RESULTS = join(__dirname, '../../.data/faults');
const GATEWAYS = ['gateway-1', 'gateway-2'] as const;

describe('hostile input beside a pair that chats', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let stopSending = (): void => undefined;
  let sampling: NodeJS.Timeout | undefined;
  let history: FaultHistory;
  let frames: FrameFuzz;
  let calls: HttpFuzz;
  const talks: CheapTalk[] = [];

  beforeAll(async () => {
    console.log(`seed ${SEED}: PROPERTY_SEED=${SEED} sends the same again`);
    mkdirSync(RESULTS, { recursive: true });
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 2, storage: 2, presence: 1 },
    }));
    history = new FaultHistory(join(RESULTS, 'fuzz.jsonl'));
    // one in each direction between the gateways
    talks.push(await CheapTalk.begin(stack.gatewayUrls, 0, history, [GATEWAYS[0], GATEWAYS[1]]));
    talks.push(await CheapTalk.begin(stack.gatewayUrls, 1, history, [GATEWAYS[1], GATEWAYS[0]]));
    const attackers = await users(USERS);
    const own = await conversationsOf(attackers);
    // they know the pairs' conversations, too
    const ids = {
      conversations: [...own, ...talks.map(({ id }) => id)],
      users: attackers.map(({ id }) => id),
    };
    const devices = [...attackers];
    for (let n = USERS; n < USERS * DEVICES; n++) {
      devices.push(await attackers[n % USERS]!.onNewDevice(n % 2));
    }
    frames = new FrameFuzz(devices, GATEWAYS, ids, SEED);
    calls = new HttpFuzz(attackers, stack.gatewayUrls, ids, SEED + 1);
  }, 300_000);
  afterAll(async () => {
    clearInterval(sampling);
    stopSending();
    frames?.end();
    await stop?.();
    history?.close();
  }, 120_000);

  async function users(count: number): Promise<ChatUser[]> {
    const all: ChatUser[] = [];
    for (let n = 0; n < count; n++)
      all.push(await ChatUser.create(stack.gatewayUrls, { at: n % 2 }));
    return all;
  }

  /** A direct conversation of each with the next. */
  async function conversationsOf(all: readonly ChatUser[]): Promise<string[]> {
    const made = all.map((user, n) =>
      eventually(() => user.direct(all[(n + 1) % all.length]!), 30_000, 500),
    );
    return (await Promise.all(made)).map(({ id }) => id);
  }

  const processes = (): Record<string, number> =>
    Object.fromEntries(Object.values(stack.nodes).map(({ id, pid }) => [id, pid]));

  const resident = (): Record<string, number> =>
    Object.fromEntries(Object.entries(processes()).map(([id, pid]) => [id, residentBytes(pid)]));

  /** How much larger each process is than it was, MiB. */
  function growth(before: Record<string, number>): Record<string, number> {
    const grown = Object.entries(resident()).map(([id, now]) => [id, now - before[id]!] as const);
    return Object.fromEntries(grown.map(([id, bytes]) => [id, Math.round(bytes / MIB)]));
  }

  /** The pairs' delays from here to `end`, milliseconds. */
  function delays(): () => { p50: number; p99: number; longest: number } {
    const from = talks.map(({ delays: all }) => all.length);
    return () => {
      const all = talks.flatMap((talk, n) => talk.delays.slice(from[n])).sort((a, b) => a - b);
      const at = (share: number): number => Math.round(all[Math.floor(all.length * share)] ?? -1);
      return { p50: at(0.5), p99: at(0.99), longest: Math.round(all.at(-1) ?? -1) };
    };
  }

  async function measured(work: Promise<unknown>): Promise<ReturnType<ReturnType<typeof delays>>> {
    const end = delays();
    await work;
    return end();
  }

  /** Everything that the pairs sent is answered and pushed. */
  async function settled(): Promise<void> {
    for (const talk of talks) {
      await eventually(
        () => {
          if (talk.unanswered > 0) talk.sendAgain();
          expect(talk.unanswered).toBe(0);
          expect(talk.pushed.length).toBe(talk.sent.length);
        },
        60_000,
        2_000,
      );
    }
  }

  it(
    'ends no process, loses nothing of theirs, delays it by 2 s at most, and leaves no memory behind',
    async () => {
      const pids = processes();
      // shows whether memory goes on growing or has come to rest
      const course: number[][] = [];
      sampling = setInterval(() => {
        const gateways = GATEWAYS.map((id) => residentBytes(pids[id]!));
        course.push(gateways.map((bytes) => Math.round(bytes / MIB)));
      }, SAMPLE_MS);
      const began = performance.now();
      stopSending = sendEvenly(talks, PER_SECOND);
      const quiet = await measured(downFor(QUIET_SECONDS * 1_000));
      await Promise.all([frames.run(WARM_UP_SECONDS * 1_000), calls.run(WARM_UP_SECONDS * 1_000)]);
      const warm = resident();
      const [framesBefore, callsBefore] = [frames.sent.total, calls.sent.total];
      history.note('fault', 'hostile frames');
      const duringFrames = await measured(frames.run(SECONDS * 1_000));
      history.note('fault', 'hostile requests');
      const duringCalls = await measured(calls.run(SECONDS * 1_000));
      history.note('fault', 'hostile input: over');
      const seconds = (performance.now() - began) / 1_000;
      stopSending();
      await settled();
      const report = {
        fault: 'hostile input beside a pair that chats',
        at: new Date().toISOString(),
        seed: SEED,
        secondsOfEach: SECONDS,
        frames: frames.sent.total - framesBefore,
        frameAnswers: frames.answers.total,
        closes: frames.closes.by,
        refusedConnects: frames.refusals.by,
        requests: calls.sent.total - callsBefore,
        statuses: calls.answers.by,
        sent: talks.reduce((sum, talk) => sum + talk.sent.length, 0),
        refusals: talks.reduce((sum, talk) => sum + talk.refusals, 0),
        delayMs: { quiet, duringFrames, duringCalls },
        growthMiB: growth(warm),
        gatewaysMiB: course,
        residentMiB: Object.fromEntries(
          Object.entries(resident()).map(([id, bytes]) => [id, Math.round(bytes / MIB)]),
        ),
      };
      appendFileSync(join(RESULTS, 'report.jsonl'), JSON.stringify(report) + '\n');
      console.log(
        JSON.stringify({ ...report, frameKinds: frames.sent.by, codes: frames.answers.by }),
      );

      expect(processes()).toEqual(pids);
      expect(Object.values(stack.nodes).every((node) => node.isAlive())).toBe(true);
      for (const talk of talks) talk.check();
      for (const talk of talks) await talk.checkHistory();
      const least = Math.floor(seconds * PER_SECOND * 0.8);
      expect(history.check(least)).toMatchObject({ valid: true, errors: [], unknownSends: 0 });
      for (const { longest } of [duringFrames, duringCalls]) {
        expect(longest).toBeLessThanOrEqual(MAX_DELAY_MS);
      }
      // whatever was sent was understood or refused: nothing was thrown while it was handled
      expect(frames.closes.by).not.toHaveProperty('1011');
      expect(frames.answers.by).not.toHaveProperty('internal');
      expect(calls.failed).toEqual([]);
      // and there was something to refuse
      expect(report.frames).toBeGreaterThanOrEqual(LEAST_FRAMES);
      expect(report.requests).toBeGreaterThanOrEqual(LEAST_REQUESTS);
      expect(frames.answers.total + frames.closes.total).toBeGreaterThan(frames.sent.total / 2);
      expect(calls.answers.by['silent'] ?? 0).toBeLessThan(calls.sent.total / 10);
      await eventually(
        () => {
          const large = Object.entries(growth(warm)).filter(([, mib]) => mib > GROWTH_MIB);
          expect(large).toEqual([]);
        },
        30_000,
        1_000,
      );
      await Promise.all(talks.map((talk) => talk.end()));
    },
    (QUIET_SECONDS + WARM_UP_SECONDS + 2 * SECONDS) * 1_000 + 240_000,
  );
});
