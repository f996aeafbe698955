import { eventually } from '../support/eventually';
import { metricOf } from '../support/service-report';
import { downFor } from './fault';
import { faultRun, nothingIsWrong, reportFault } from './fault-run';

/** `SILENCE_KILLS=3` is a quick look. */
const KILLS = Number(process.env['SILENCE_KILLS'] ?? 10);
const PER_SECOND = 200;
const ENOUGH = 3_000;
/** From the start of the load to the first kill, and from one kill to the next, milliseconds. */
const WARM_UP_MS = 5_000;
const APART_MS = 8_000;
/** How long an instance hangs that is not dead, milliseconds: longer than its lease and its session timeout. */
const HANGS_MS = 10_000;
/** Each silence, milliseconds, on a machine that does nothing else. A session timeout is 6 000. */
const MAX_MS = 1_500;
/** How long a hung instance counts as alive, milliseconds (libs/common/src/peers/peers.ts). */
const LEASE_MS = 2_000;

interface Case {
  name: string;
  sessions: number;
  /** Whether whoever runs the services brings the killed one back by itself. */
  supervised: boolean;
}

const CASES: Case[] = [
  { name: 'one instance, restarted', sessions: 1, supervised: true },
  { name: 'two instances, one of them gone', sessions: 2, supervised: false },
  { name: 'two instances, one of them restarted', sessions: 2, supervised: true },
];

describe.each(CASES)('kill -9 of session: $name', ({ name, sessions, supervised }) => {
  const run = faultRun(`silence ${name}`, {
    services: { gateway: 2, session: sessions, storage: 1, presence: 1 },
    restart: supervised,
  });

  /** Kills an instance; answers with the longest silence of any conversation until the next kill. */
  async function silenceAfterKill(turn: number): Promise<number> {
    const node = run.stack.node(`session-${(turn % sessions) + 1}`);
    const { pid } = node;
    const killed = run.history.now();
    if (supervised) process.kill(pid, 'SIGKILL');
    else await node.kill('SIGKILL');
    await downFor(APART_MS);
    const until = run.history.now();
    if (supervised) {
      await eventually(() => {
        if (!node.isAlive() || node.pid === pid) throw new Error(`${node.id} is not back`);
      }, 30_000);
    } else {
      await node.restart();
      // its return is a rebalance, too: not what is measured here
      await downFor(2_000);
    }
    return run.history.silenceMs(killed, until);
  }

  it('is soon over, loses nothing, doubles nothing and keeps the order', async () => {
    const { workload } = run;
    const silences: number[] = [];
    // to the last kill, however long an instance takes to come back: without sends there is no silence
    await workload.runDuring(PER_SECOND, async () => {
      await downFor(WARM_UP_MS);
      for (let turn = 0; turn < KILLS; turn++) silences.push(await silenceAfterKill(turn));
    });
    await workload.settle(60_000);
    const sorted = [...silences].sort((a, b) => a - b);
    const report = reportFault(`kill -9 of session: ${name}`, {
      acknowledged: workload.acknowledged.length,
      silencesMs: silences,
      bestMs: sorted[0],
      medianMs: sorted[Math.floor(sorted.length / 2)],
      worstMs: sorted.at(-1),
    });
    await nothingIsWrong(run, { sends: workload.sends, enough: ENOUGH });
    // nobody is pushed what was sent before a kill in no time at all
    expect(Math.min(...silences)).toBeGreaterThan(0);
    expect(report.worstMs).toBeLessThanOrEqual(MAX_MS);
  }, 600_000);
});

describe('an instance of session that hangs and comes back', () => {
  const run = faultRun('silence hangs', {
    services: { gateway: 2, session: 2, storage: 1, presence: 1 },
  });

  it('is let go once, and what it does afterwards harms nothing', async () => {
    const { stack, workload, history } = run;
    const seconds = (WARM_UP_MS + 3 * HANGS_MS) / 1000;
    const sending = workload.run(PER_SECOND, seconds);
    await downFor(WARM_UP_MS);
    stack.node('session-1').signal('SIGSTOP');
    const hung = history.now();
    await downFor(HANGS_MS);
    const woken = history.now();
    stack.node('session-1').signal('SIGCONT');
    await sending;
    await workload.settle(60_000);
    const worstMs = history.silenceMs(hung, woken);
    reportFault('SIGSTOP of session', { worstMs });
    await nothingIsWrong(run, { sends: PER_SECOND * seconds, enough: ENOUGH });
    const letGo = await metricOf(stack.node('session-2').url, 'peers_let_go_total');
    expect(letGo).toBe(1);
    expect(worstMs).toBeLessThanOrEqual(LEASE_MS + MAX_MS);
    // and it shares the work again
    expect(stack.node('session-1').isAlive()).toBe(true);
  }, 600_000);
});
