import { judge } from '../../../tools/load/checks/judge';
import { seededRandom } from '../../../tools/load/random';
import { delays, longestSilence, normalAfter, quantile } from '../../../tools/load/silence';
import { eventually } from '../../support/eventually';
import { downFor, type Chatters, type Fault } from '../fault';
import { reportFault } from '../fault-run';
import { Probe } from '../probe';
import { lookAtRest, settle } from './at-rest';
import type { Cast } from './cast';
import { Curious } from './curious';
import { peopleRun, type PeopleRun } from './people-run';
import { type ByService, Watch } from './watch';

const SECONDS = 32;
const USUAL_PER_SECOND = 80;
const PER_SECOND = Number(process.env['FAULT_RATE'] ?? USUAL_PER_SECOND);
/** What is held and acknowledged while something is broken is fewer when people do less. */
const SHARE = Math.min(1, PER_SECOND / USUAL_PER_SECOND);
const FAULT_AT_MS = 12_000;
/** Of that, until everything is loaded and compiled. */
const WARM_UP_MS = 5_000;
/** So often at least: less shows nothing. */
const LEAST = { send: 600, edit: 20, delete: 10, add: 30, remove: 2, block: 1 };
/** Of those who ask what is unread, and who is there: fewer show nothing. */
const LEAST_ANSWERS = 30;
/** Consumers have nothing left to read so soon after the last send, milliseconds. */
const READ_ALL_MS = 30_000;
/** A p99 of up to this is as usual, however good it was before, milliseconds. */
const USUAL_MS = 250;
/** And so soon after the part is back delays are as usual, beside the silence that is allowed. */
const NORMAL_MS = 20_000;
/** Handles of all instances of a service that there may be more than before the fault. */
const MORE_HANDLES = 24;
/** So long connections are kept open at most that nobody uses, milliseconds. */
const IDLE_MS = 20_000;
/** Resident set of any process, MiB. */
const MAX_MIB = 450;
/** All who are connected are online so soon after a fault, milliseconds. */
const PRESENT_MS = 60_000;

/** Conversations of which one end at least was elsewhere when the fault struck. */
function watched(
  { circles }: Cast,
  elsewhere: string | undefined,
): ReadonlySet<string> | undefined {
  if (elsewhere === undefined) return undefined;
  const ends = circles.filter(({ core }) =>
    core.some(({ devices }) => devices.every(({ client }) => client.gatewayId !== elsewhere)),
  );
  return new Set(ends.map(({ id }) => id));
}

/** Held messages of all devices. */
function heldIds({ devices }: Cast): Set<string> {
  return new Set(devices.flatMap(({ held }) => [...held]));
}

/** As those see it whom nobody blocks. */
async function everybodyIsPresent({ people, circles }: Cast): Promise<void> {
  const ids = people.map(({ id }) => id);
  const blocked = circles.filter(({ blocks }) => blocks).flatMap(({ core }) => core);
  for (const { first } of people.filter((person) => !blocked.includes(person)).slice(0, 2)) {
    await eventually(
      async () => {
        const { items } = await first.client.api.presence(ids);
        expect(items.filter(({ status }) => status !== 'online')).toEqual([]);
      },
      PRESENT_MS,
      500,
    );
  }
}

const ms = (fromNs: number, toNs: number): number => Math.round((toNs - fromNs) / 1e6);

/**
 * Announces the people of one fault, for its `describe`, and gives its test: they do what people do, the
 * fault strikes, all is judged.
 */
export function keepsPromises(fault: Fault<Chatters>): () => Promise<void> {
  const { name, strike, elsewhere, silence, held = 0 } = fault;
  const { seconds = SECONDS, perSecond = PER_SECOND } = fault;
  const services = { gateway: 2, session: 2, storage: 2, presence: 2 };
  let watch: Watch | undefined;
  let probe: Probe | undefined;
  let curious: Curious | undefined;
  // before the people leave: hooks run in this order
  afterAll(async () => {
    await curious?.end();
    await probe?.stop();
    await watch?.end();
  });
  const run = peopleRun(name, { services, proxied: fault.proxied });

  return async () => {
    const { stack, cast, doings, hostile, diary } = run;
    watch = new Watch(stack);
    probe = new Probe(cast.circles.map(({ id, core }) => ({ id, reader: core[0]!.user })));
    curious = new Curious(cast, diary, seededRandom(run.seed));
    await hostile.begin(seconds * 1_000);
    const began = diary.now() + WARM_UP_MS * 1e6;
    const doing = doings.run(perSecond, seconds);
    await downFor(FAULT_AT_MS);
    const handles = watch.handles();
    const pids = Object.values(stack.nodes).map(({ pid }) => pid);
    const troubles = probe.troubles;
    const conversations = watched(cast, elsewhere);
    diary.note('fault', name);
    const [struck, struckMs, sentBefore] = [diary.now(), performance.now(), acknowledged(run)];
    await strike(stack, chattingOf(run));
    const [back, backMs] = [diary.now(), performance.now()];
    const acknowledgedMeanwhile = acknowledged(run) - sentBefore;
    diary.note('fault', `${name}: back`);
    await doing;
    const stopped = diary.now();
    const lagZeroMs = await watch.lagZero(READ_ALL_MS);
    await doings.ended();
    await settle(cast);
    const settled = diary.now();
    // connections that are kept for a next call are closed when none comes
    const handlesAfter = await eventually(
      () => {
        const now = watch!.handles();
        expect(grown(handles, now)).toEqual([]);
        return now;
      },
      IDLE_MS,
      500,
    ).catch(() => watch!.handles());
    const residentMiB = watch.residentMiB();
    await hostile.end();
    await curious.end();
    await probe.stop();
    await watch.end();
    await everybodyIsPresent(cast);
    await lookAtRest(cast, diary);

    const cutShort = new Set(cast.devices.flatMap((device) => [...device.cutShort]));
    const events = diary.events.filter(({ f, cid }) => f !== 'send' || !cutShort.has(cid ?? ''));
    const silenceMs = (fromNs: number, toNs: number): number =>
      Math.round(longestSilence(events, { conversations, fromNs, toNs }).ms);
    const usual = delays(events, { fromNs: began, toNs: struck }).map((delay) => delay.ms);
    const limitMs = Math.max(USUAL_MS, 2 * quantile(usual, 0.99));
    const all = delays(events, { fromNs: began, toNs: stopped });
    const judgement = judge(diary.events, LEAST);
    const restarted = Object.values(stack.nodes).some(({ pid }, n) => pid !== pids[n]);
    const report = reportFault(name, {
      seed: run.seed,
      perSecond,
      verdict: judgement.valid,
      violations: judgement.counts,
      operations: judgement.operations,
      silenceMs: {
        before: silenceMs(began, struck),
        during: silenceMs(struck, back),
        after: silenceMs(back, settled),
      },
      downMs: ms(struck, back),
      troubledProbes: probe.troubles - troubles,
      acknowledgedMeanwhile,
      held: heldIds(cast).size,
      usualP99Ms: Math.round(quantile(usual, 0.99)),
      normalAfterMs: normalAfter(all, { sinceNs: back, toNs: stopped, limitMs }),
      caughtUpAfterMs: watch.caughtUpAfter(struckMs, backMs),
      lagZeroMs,
      settledMs: ms(stopped, settled),
      handles: { before: handles, after: handlesAfter },
      peakMiB: watch.peakMiB,
      residentMiB,
      curious: curious.answers,
      hostile: { frames: hostile.frames, reads: hostile.statuses, ...hostile.answers },
    });

    expect(judgement.violations).toEqual([]);
    expect(judgement.tooFew).toEqual([]);
    expect(curious.answers.unread).toBeGreaterThan(LEAST_ANSWERS);
    expect(curious.answers.presence).toBeGreaterThan(LEAST_ANSWERS);
    const { before, during, after } = report.silenceMs;
    // the fault was visible
    const longest = Math.max(during, after);
    expect(restarted || report.troubledProbes > 0 || longest > 2 * before).toBe(true);
    expect(report.held).toBeGreaterThanOrEqual(held * SHARE);
    expect(acknowledgedMeanwhile).toBeGreaterThanOrEqual(
      (fault.acknowledgedMeanwhile ?? 0) * SHARE,
    );
    await fault.afterwards?.(stack, chattingOf(run));
    // on a machine that has other work, too, there is some silence anyway
    const limit = 'whole' in silence ? silence.whole : silence.afterBack;
    expect('whole' in silence ? longest : after).toBeLessThanOrEqual(limit + before);
    expect(report.normalAfterMs ?? Infinity).toBeLessThanOrEqual(limit + NORMAL_MS);
    expect(grown(handles, handlesAfter)).toEqual([]);
    expect(Object.entries(watch.peakMiB).filter(([, mib]) => mib > MAX_MIB)).toEqual([]);
    // nobody was told what is not theirs, and nothing was thrown
    expect(hostile.answers.errors).not.toHaveProperty('internal');
    expect(hostile.answers.closes).not.toHaveProperty('1011');
  };
}

function chattingOf({ cast, diary, network, seed }: PeopleRun): Chatters {
  const sends = (kind: 'invoke' | 'ok') => () =>
    diary.events.filter(({ k, f }) => k === kind && f === 'send').map(({ cid }) => cid!);
  return {
    get heldIds() {
      return heldIds(cast);
    },
    begun: sends('invoke'),
    acknowledged: sends('ok'),
    random: seededRandom(seed),
    note: (words) => diary.note('fault', words),
    network,
  };
}

function acknowledged({ diary }: PeopleRun): number {
  return diary.events.filter(({ k, f }) => k === 'ok' && f === 'send').length;
}

function grown(before: ByService, after: ByService): [string, number][] {
  const more = Object.entries(after).map(([service, n]): [string, number] => [
    ...([service, n - (before[service] ?? 0)] as const),
  ]);
  return more.filter(([, n]) => n > MORE_HANDLES);
}
