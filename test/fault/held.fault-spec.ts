import { eventually } from '../support/eventually';
import { metricOf } from '../support/service-report';
import { downFor, type Fault } from './fault';
import { faultRun, nothingIsWrong, reportFault } from './fault-run';
import { closesOutages, spoolsAreEmpty } from './held-checks';
import { pageIn } from './holds-together';
import { Probe } from './probe';
import type { Talk } from './workload';

const SECONDS = 25;
const PER_SECOND = 200;
const FAULT_AT_MS = 8_000;
const ENOUGH = 3_000;

/**
 * Texts alone, at a rate that the people of `faults.fault-spec.ts` do not come to: only so are there enough
 * messages on the gateways' disks to see that they leave it in batches.
 */
const FAULTS: Fault[] = [
  {
    name: 'Kafka away for 60 s',
    strike: async ({ kafka }) => {
      await kafka.stop();
      await downFor(60_000);
      await kafka.restart();
    },
    silence: { afterBack: 30_000 },
    seconds: 100,
    held: 3_000,
    afterwards: async (stack, workload) => {
      await spoolsAreEmpty(stack);
      await closesOutages(stack, { longerThanMs: 55_000, heldAtLeast: workload.heldIds.size });
    },
  },
  {
    name: 'kill -9 of a gateway that holds messages',
    strike: async (stack, workload) => {
      await stack.kafka.stop();
      await eventually(() => {
        if (workload.heldIds.size < 500) throw new Error('too few are held yet');
      }, 30_000);
      const gateway = stack.node('gateway-1');
      if ((await metricOf(gateway.url, 'spool_entries')) === 0) throw new Error('nothing is held');
      await gateway.kill('SIGKILL');
      // its clients send the same again, elsewhere; it has to wait for Kafka to be back
      const restarted = gateway.restart();
      await downFor(10_000);
      await stack.kafka.restart();
      await restarted;
    },
    silence: { afterBack: 30_000 },
    seconds: 60,
    held: 500,
    longAway: true,
    afterwards: spoolsAreEmpty,
  },
];

/** Talks of which one end at least was elsewhere when the fault struck. */
function counted(talks: Talk[], elsewhere: string | undefined): Talk[] {
  if (elsewhere === undefined) return talks;
  return talks.filter(({ ends }) =>
    ends.some((devices) => devices.every(({ client }) => client.gatewayId !== elsewhere)),
  );
}

const ms = (fromNs: number, toNs: number): number => Math.round((toNs - fromNs) / 1e6);

describe.each(FAULTS)('$name', (fault: Fault) => {
  const { name, strike, elsewhere, silence, seconds = SECONDS, held = 0 } = fault;
  const run = faultRun(name, { services: { gateway: 2, session: 2, storage: 2, presence: 1 } });

  it('loses nothing, doubles nothing, keeps the order of sending, and is soon over', async () => {
    const { stack, workload, history } = run;
    const probe = new Probe(workload.talks);
    const began = history.now();
    const sending = workload.run(PER_SECOND, seconds);
    await downFor(FAULT_AT_MS);
    const before = probe.troubles;
    const watched = counted(workload.talks, elsewhere);
    history.note('fault', name);
    const struck = history.now();
    const sentBefore = workload.acknowledged.length;
    await strike(stack, workload);
    const back = history.now();
    const acknowledgedMeanwhile = workload.acknowledged.length - sentBefore;
    history.note('fault', `${name}: back`);
    await sending;
    await probe.stop();
    await workload.settle(90_000);
    // what was held may arrive when nobody sends any more
    const settled = history.now();

    const ids = watched.map(({ id }) => id);
    const silenceMs = {
      before: history.silenceMs(began, struck, ids),
      during: history.silenceMs(struck, back, ids),
      after: history.silenceMs(back, settled, ids),
    };
    const longest = history.silenceMs(struck, settled, ids);
    const report = reportFault(name, {
      acknowledged: workload.acknowledged.length,
      failed: workload.failed.length,
      watchedConversations: watched.length,
      silenceMs,
      longestSilenceMs: longest,
      downMs: ms(struck, back),
      troubledProbes: probe.troubles - before,
      acknowledgedMeanwhile,
      held: workload.heldIds.size,
      settledMs: ms(back, settled),
    });

    expect(watched.length).toBeGreaterThan(0);
    // the fault was visible
    expect(report.troubledProbes > 0 || longest > 2 * silenceMs.before).toBe(true);
    expect(workload.heldIds.size).toBeGreaterThanOrEqual(held);
    expect(acknowledgedMeanwhile).toBeGreaterThanOrEqual(fault.acknowledgedMeanwhile ?? 0);
    await fault.afterwards?.(stack, workload);
    if (fault.longAway) for (const talk of workload.talks) await pageIn(talk);
    await nothingIsWrong(run, { sends: PER_SECOND * seconds, enough: ENOUGH });
    if ('whole' in silence) expect(longest).toBeLessThanOrEqual(silence.whole);
    else expect(silenceMs.after).toBeLessThanOrEqual(silence.afterBack);
  }, 600_000);
});
