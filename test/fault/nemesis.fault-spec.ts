import { randomBelow, type Random } from '../../tools/load/random';
import { eventually } from '../support/eventually';
import { type Chatters, downFor, type Fault } from './fault';
import { spoolsAreEmpty } from './held-checks';
import { keepsPromises } from './people/keeps-promises';
import { badNetwork, hung, readOnly, stalls } from './strikes';

/** How long faults strike, seconds. */
const SECONDS = Number(process.env['NEMESIS_SECONDS'] ?? 600);
/** People go on for so long behind them, and do less than beside a single fault: they do it for long. */
const BEHIND_SECONDS = 60;
const PER_SECOND = 20;
/** Two or three faults of a round begin within so much of each other. */
const APART_MS = 3_000;
const AWAY_MS = 5_000;
const HANGS_MS = 6_000;
/** Between two rounds. */
const LEAST_PEACE_MS = 3_000;
const MAX_PEACE_MS = 12_000;
/** A part that cannot start, because another one is away, is started again. */
const STARTS_WITHIN_MS = 120_000;

type Strike = Fault<Chatters>['strike'];
type Part = 'gateway' | 'session' | 'storage' | 'presence' | 'kafka' | 'postgres' | 'redis' | 'net';

const BAD = { delayMs: 30, jitterMs: 50, sliceBytes: 900, loss: 0.03 };

const killed =
  (id: string): Strike =>
  async (stack) => {
    await stack.node(id).kill('SIGKILL');
    await eventually(() => stack.node(id).restart(), STARTS_WITHIN_MS, 1_000);
  };

const away =
  (server: 'kafka' | 'postgres' | 'redis'): Strike =>
  async (stack) => {
    await stack[server].kill();
    await downFor(AWAY_MS);
    await eventually(() => stack[server].restart(), STARTS_WITHIN_MS, 1_000);
  };

/** What may be done, by the part that it is done to: one thing at a time to each. */
const STRIKES: readonly (readonly [Part, string, Strike])[] = [
  ['gateway', 'kill -9 of gateway-1', killed('gateway-1')],
  ['gateway', 'kill -9 of gateway-2', killed('gateway-2')],
  ['session', 'kill -9 of session-1', killed('session-1')],
  ['session', 'kill -9 of session-2', killed('session-2')],
  ['storage', 'kill -9 of storage-1', killed('storage-1')],
  ['storage', 'kill -9 of storage-2', killed('storage-2')],
  ['presence', 'kill -9 of presence-1', killed('presence-1')],
  ['kafka', 'Kafka hung', hung('kafka', HANGS_MS)],
  ['kafka', 'Kafka away', away('kafka')],
  ['postgres', 'PostgreSQL hung', hung('postgres', HANGS_MS)],
  ['postgres', 'PostgreSQL away', away('postgres')],
  ['postgres', 'PostgreSQL takes no writes', readOnly],
  ['redis', 'Redis hung', hung('redis', HANGS_MS)],
  ['redis', 'Redis away', away('redis')],
  ['net', 'a bad network', badNetwork(BAD, HANGS_MS)],
  ['net', 'a network that stalls', stalls(HANGS_MS)],
];

/** Two or three faults at once, again and again, as the seed decides. */
const nemesis: Strike = async (stack, chatting) => {
  const { random, note } = chatting;
  const end = performance.now() + SECONDS * 1_000;
  while (performance.now() < end) {
    const round = chosen(random, 2 + randomBelow(random, 2));
    const strikes = round.map(async ([, words, strike]) => {
      await downFor(randomBelow(random, APART_MS));
      note(words);
      await strike(stack, chatting);
      note(`${words}: back`);
    });
    await Promise.all(strikes);
    await downFor(LEAST_PEACE_MS + randomBelow(random, MAX_PEACE_MS - LEAST_PEACE_MS));
  }
};

/** So many faults of different parts. */
function chosen(random: Random, count: number): (typeof STRIKES)[number][] {
  const round: (typeof STRIKES)[number][] = [];
  while (round.length < count) {
    const one = STRIKES[randomBelow(random, STRIKES.length)]!;
    if (round.every(([part]) => part !== one[0])) round.push(one);
  }
  return round;
}

describe('two or three faults at once, for long', () => {
  const all = keepsPromises({
    name: 'nemesis',
    strike: nemesis,
    silence: { afterBack: 30_000 },
    seconds: SECONDS + BEHIND_SECONDS,
    perSecond: PER_SECOND,
    proxied: true,
    afterwards: spoolsAreEmpty,
  });

  it('keeps every promise to people who do what people do', all, 3_600_000);
});
