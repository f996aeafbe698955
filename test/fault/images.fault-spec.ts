import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '@tidings/protocol/limits';
import type { Stack } from '../../tools/stack/stack';
import { cpuTimes } from '../../tools/load/processes';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { imageProcessOf, underWay } from '../support/image-process';
import { bombPng } from '../support/pictures';
import { startTestStack } from '../support/test-stack';
import { smallPng, upload } from '../support/uploads';
import { CheapTalk, sendEvenly } from './cheap-talk';
import { downFor } from './fault';
import { FaultHistory } from './fault-history';
import { reportFault } from './fault-run';
import { PictureFlood } from './picture-flood';

/** Of each phase; there are two without the flood and two with it, in turns. */
const SECONDS = Number(process.env['IMAGES_SECONDS'] ?? 30);
const WARM_UP_SECONDS = 10;
/** Messages of all conversations together. */
const PER_SECOND = 50;
/** Each one's sender stays below the rate of a user. */
const TALKS = 4;
/** How much longer the others' messages may take at the 95th percentile. */
const MAX_SLOWER = 1.5;
const BOMB_EDGE = 6_320;
/** What the budget of an account allows at once at each gateway. */
const BOMBS_AT_ONCE = Math.floor(LIMITS.imagePixelsBurst / BOMB_EDGE ** 2);
const RESULTS = join(__dirname, '../../.data/faults');

describe('one account that uploads pictures of many pixels', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let stopSending = (): void => undefined;
  let history: FaultHistory;
  const talks: CheapTalk[] = [];
  const attackers: { user: ChatUser; conversationId: string }[] = [];

  beforeAll(async () => {
    mkdirSync(RESULTS, { recursive: true });
    ({ stack, stop } = await startTestStack({
      services: { gateway: 2, session: 2, storage: 2, presence: 1 },
      // those of production, but for people who are made at one address
      env: { RATE_LIMITS: '', HTTP_RATE_PER_MINUTE: '600' },
    }));
    history = new FaultHistory(join(RESULTS, 'images.jsonl'));
    for (let n = 0; n < TALKS; n++) {
      const gateways = [`gateway-${(n % 2) + 1}`, `gateway-${((n + 1) % 2) + 1}`] as const;
      talks.push(await CheapTalk.begin(stack.gatewayUrls, n, history, gateways));
    }
    const friend = await ChatUser.create(stack.gatewayUrls);
    // each test and phase takes a new one, which has its whole budget
    for (let n = 0; n < 3; n++) {
      const user = await ChatUser.create(stack.gatewayUrls);
      const { id } = await eventually(() => user.direct(friend), 30_000, 500);
      attackers.push({ user, conversationId: id });
    }
  }, 300_000);
  afterAll(async () => {
    stopSending();
    await stop?.();
    history?.close();
  }, 120_000);

  /** CPU time that each gateway, with the process that works on its images, has used, seconds. */
  const used = (): number[] => {
    const watched = Object.values(stack.nodes).filter(({ service }) => service === 'gateway');
    const times = cpuTimes(watched.map(({ id, pid }) => ({ name: id, pid })));
    return Object.values(times).map((us) => us / 1e6);
  };

  /** The delays of what arrives while `work` is done, milliseconds. */
  async function during(work: () => Promise<unknown>): Promise<number[]> {
    const from = talks.map(({ delays }) => delays.length);
    await work();
    return talks.flatMap(({ delays }, n) => delays.slice(from[n]));
  }

  it(
    'delays nobody else: p95 of their messages stays within 1.5 times',
    async () => {
      const bomb = bombPng(BOMB_EDGE, BOMB_EDGE);
      stopSending = sendEvenly(talks, PER_SECOND);
      await downFor(WARM_UP_SECONDS * 1_000);
      const quiet: number[][] = [];
      const flooded: number[][] = [];
      const working: number[][] = [];
      const answers: Record<string, number>[] = [];
      const cpuSeconds: number[][] = [];
      for (const { user, conversationId } of attackers.slice(0, 2)) {
        quiet.push(await during(() => downFor(SECONDS * 1_000)));
        const before = used();
        const flood = new PictureFlood(user, conversationId, bomb);
        const began = performance.now();
        // its images are worked on without a pause
        const first = await during(() => flood.refused);
        const leftMs = began + SECONDS * 1_000 - performance.now();
        working.push(first);
        flooded.push([...first, ...(await during(() => downFor(leftMs)))]);
        cpuSeconds.push(used().map((now, n) => now - before[n]!));
        await flood.end();
        answers.push(flood.answers.by);
      }
      stopSending();
      for (const talk of talks) {
        await eventually(() => expect(talk.unanswered).toBe(0), 30_000);
        await eventually(() => expect(talk.pushed.length).toBe(talk.sent.length), 30_000);
      }
      const report = reportFault('one account that uploads pictures of many pixels', {
        secondsOfEach: SECONDS,
        quiet: percentiles(quiet.flat()),
        flooded: percentiles(flooded.flat()),
        working: { ...percentiles(working.flat()), messages: working.flat().length },
        phases: { quiet: quiet.map(percentiles), flooded: flooded.map(percentiles) },
        answers,
        cpuSeconds,
      });

      for (const talk of talks) talk.check();
      for (const talk of talks) await talk.checkHistory();
      // it did what it may, and more was refused
      for (const by of answers) {
        expect(by['201']).toBeGreaterThanOrEqual(BOMBS_AT_ONCE);
        expect(by['429']).toBeGreaterThan(100);
      }
      expect(report.flooded.p95 / report.quiet.p95).toBeLessThanOrEqual(MAX_SLOWER);
    },
    (WARM_UP_SECONDS + 4 * SECONDS) * 1_000 + 300_000,
  );

  it('a decoder that hangs is ended: its image is refused, the next one is taken', async () => {
    const { user, conversationId } = attackers[2]!;
    const gateway = Object.values(stack.nodes).find(({ url }) => url === user.bases[0])!;
    const png = await smallPng();
    expect((await upload(user, conversationId, png)).status).toBe(201);
    const pid = imageProcessOf(gateway);
    const [bomb] = await underWay(pid, () =>
      upload(user, conversationId, bombPng(BOMB_EDGE, BOMB_EDGE)),
    );
    process.kill(pid, 'SIGSTOP');
    expect(await bomb).toMatchObject({ status: 422, body: { code: 'unsupported_media' } });
    expect((await upload(user, conversationId, png)).status).toBe(201);
    expect(imageProcessOf(gateway)).not.toBe(pid);
  }, 120_000);
});

/** Milliseconds, to a tenth. */
function percentiles(delays: readonly number[]): Record<'p50' | 'p95' | 'p99', number> {
  const sorted = [...delays].sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.floor(sorted.length * share)] ?? NaN) * 10) / 10;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
