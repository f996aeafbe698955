import fc from 'fast-check';
import { ME, PEER, THIRD } from './factories';
import { settle } from './fake-clock';
import type { ModelDevice } from './model-device';
import type { Treatment } from './model-gateway';
import { CONVERSATIONS } from './model-log';
import type { ModelWorld } from './model-world';

/** One step of a run: what the world does next. */
interface Step {
  name: string;
  run: (world: ModelWorld) => void | Promise<void>;
}

/** A run: which conversations it is about, and what happens. */
export interface Run {
  focus: string[];
  steps: Step[];
}

/** Numbers stand for the conversations of a run. */
const conversation = fc.nat(CONVERSATIONS.length - 1);
const place = fc.tuple(conversation, fc.nat(6));
const treatments: Treatment[] = ['answer', 'stay silent', 'refuse', 'hold', 'conflict'];
const deliveries = ['once', 'once', 'once', 'twice', 'lose'] as const;

/** A kind of step; `weight`: how often it comes, compared with others. */
function step<T>(
  weight: number,
  name: string,
  argument: fc.Arbitrary<T>,
  run: (world: ModelWorld, argument: T) => void | Promise<void>,
): fc.WeightedArbitrary<Step> {
  const arbitrary = argument.map((value) => ({
    name: `${name} ${JSON.stringify(value)}`,
    run: (world: ModelWorld) => run(world, value),
  }));
  return { weight, arbitrary };
}

/** A kind of step of one device; the first one has more to do. */
function ofDevice<T>(
  weight: number,
  name: string,
  argument: fc.Arbitrary<T>,
  run: (device: ModelDevice, argument: T) => void | Promise<void>,
): fc.WeightedArbitrary<Step> {
  const which = fc.constantFrom(0, 0, 1);
  return step(weight, name, fc.tuple(which, argument), (w, [n, value]) =>
    run(w.devices[n]!, value),
  );
}

const nothing = fc.constant(0);

/** All kinds of steps. `lifetimes`: of messages, in seconds; null: they stay. */
function anyStep(lifetimes: readonly (number | null)[]): fc.Arbitrary<Step> {
  return fc.oneof(
    step(6, 'speak', conversation, (w, c) => void w.log.speak(w.at(c), PEER)),
    step(2, 'edit', place, (w, [c, n]) => w.change(c, n, `edited behind ${w.log.end}`)),
    step(1, 'edit many', conversation, (w, c) => {
      for (let n = 0; n < 6; n++) w.change(c, n, `edited behind ${w.log.end}`);
    }),
    step(1, 'remove', place, (w, [c, n]) => w.change(c, n, null)),
    step(1, 'copy', place, (w, [c, n]) => w.copy(c, n)),
    step(3, 'come or go', conversation, (w, c) => w.toggle(c, ME)),
    step(1, 'another comes or goes', conversation, (w, c) => w.toggle(c, THIRD)),
    step(1, 'live', fc.tuple(conversation, fc.constantFrom(...lifetimes)), (w, [c, s]) =>
      w.log.setLifetime(w.at(c), s),
    ),
    step(1, 'another reads', place, (w, [c, n]) => w.peerReads(c, n)),
    step(3, 'pass', fc.constantFrom(60, 400, 6_000, 61_000), (w, ms) => w.clock.pass(ms, ms / 3)),
    ofDevice(4, 'write', conversation, (d, c) => d.write(c)),
    ofDevice(1, 'change', fc.tuple(conversation, fc.nat(6), fc.boolean()), (d, [c, n, deletes]) =>
      d.change(c, n, deletes),
    ),
    ofDevice(2, 'read', place, (d, [c, n]) => d.read(c, n)),
    ofDevice(2, 'serve change', fc.constantFrom('answer', 'stay silent', 'refuse'), (d, how) =>
      d.gateway.serveChange(how),
    ),
    ofDevice(2, 'serve marks', nothing, (d) => d.gateway.serveMarks()),
    ofDevice(1, 'forget', conversation, (d, c) => d.gateway.forget(d.at(c))),
    ofDevice(10, 'deliver', fc.constantFrom(...deliveries), (d, how) => d.gateway.deliver(how)),
    ofDevice(5, 'reply', nothing, (d) => d.gateway.reply()),
    ofDevice(5, 'serve', fc.constantFrom(...treatments), (d, how) => d.gateway.serve(how)),
    ofDevice(
      5,
      'answer sync',
      fc.tuple(fc.constantFrom(0, 0, 0, 3), fc.boolean()),
      (d, [lag, split]) => d.gateway.answerSync(lag, split),
    ),
    ofDevice(1, 'drain', nothing, (d) => d.gateway.drain()),
    ofDevice(1, 'cut', nothing, (d) => d.gateway.cut()),
    ofDevice(4, 'accept', nothing, (d) => void d.gateway.accept()),
  );
}

/** Runs of so many steps at most. */
export function runs(most: number, lifetimes: readonly (number | null)[]): fc.Arbitrary<Run> {
  return fc.record({
    // The fewer conversations, the more happens in each.
    focus: fc.shuffledSubarray([...CONVERSATIONS], { minLength: 1 }),
    steps: fc.array(anyStep(lifetimes), { minLength: 10, maxLength: most }),
  });
}

/** Takes the steps; after each of them what every device shows as complete has to be complete. */
export async function take(world: ModelWorld, { focus, steps }: Run): Promise<void> {
  await world.start(focus);
  for (const { run } of steps) {
    await run(world);
    await settle();
    for (const device of world.devices) device.checkStretches();
  }
}

/** When everything has come to rest, old devices and a new one show what there is. */
export async function checkRest(world: ModelWorld): Promise<void> {
  await world.rest();
  // Whoever has lost no push needs no other connection to be right.
  for (const device of world.devices) if (!device.gateway.hasHoles) device.checkShown();
  await world.calmDown();
  for (const device of world.devices) {
    device.checkStretches();
    await device.checkView(true);
    device.checkOutbox();
    device.checkEvents();
  }
  await world.findStrays();
  await world.checkColdDevice();
  await world.checkLoss();
}
