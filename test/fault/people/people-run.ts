import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../../tools/load/random';
import type { Stack, StackOptions } from '../../../tools/stack/stack';
import { startTestStack } from '../../support/test-stack';
import { Cast } from './cast';
import { Diary } from './diary';
import { Doings } from './doings';
import { Hostile } from './hostile';
import { Network } from './network';

const RESULTS = join(__dirname, '../../../.data/faults');
/** What a failure printed, to have the same people do the same again. */
const SEED = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 2 ** 31);

/** A stack with people who do what people do, for one `describe`: made before its tests, ended behind them. */
export interface PeopleRun {
  readonly seed: number;
  readonly stack: Stack;
  readonly cast: Cast;
  readonly doings: Doings;
  readonly hostile: Hostile;
  readonly diary: Diary;
  /** Only where it was asked for. */
  readonly network?: Network;
}

interface PeopleOptions extends Partial<StackOptions> {
  /** Proxies stand between the parts. */
  proxied?: boolean;
}

/** Announces a run. Its parts are there when the tests run, not before. `name`: its history is kept under it. */
export function peopleRun(name: string, { proxied = false, ...options }: PeopleOptions): PeopleRun {
  const run: { -readonly [K in keyof PeopleRun]?: PeopleRun[K] } = { seed: SEED };
  let stop: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    console.log(`seed ${SEED}: PROPERTY_SEED=${SEED} has the same people do the same`);
    mkdirSync(RESULTS, { recursive: true });
    const network = proxied ? await Network.start(SEED) : undefined;
    run.network = network;
    const started = await startTestStack({ ...options, ...network?.options() });
    ({ stop } = started);
    const { stack } = started;
    await network?.join(stack);
    const bases = network?.bases ?? stack.gatewayUrls;
    const random = seededRandom(SEED);
    const diary = new Diary(join(RESULTS, `${name.replace(/[^a-zA-Z0-9]+/g, '-')}.jsonl`));
    const cast = new Cast(bases, diary, random);
    Object.assign(run, { stack, diary, cast });
    await cast.gather();
    run.doings = new Doings(cast, random);
    run.hostile = new Hostile(bases, diary, cast, SEED);
  }, 300_000);
  afterAll(async () => {
    // after a failure people are in the middle of something: what ends here must not hide it
    run.doings?.stop();
    await run.hostile?.end();
    await run.cast?.leave();
    await run.doings?.ended().catch(() => undefined);
    await stop?.();
    await run.network?.stop();
    run.diary?.close();
  }, 120_000);
  return run as PeopleRun;
}
