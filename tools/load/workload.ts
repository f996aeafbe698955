import { LIMITS } from '@tidings/protocol/limits';
import { StackError } from '../stack/paths';
import { wholeNumber } from './option-values';

/** What is measured: messages between pairs or in groups, with receipts or beside changes of presence, or connects. */
export const WORKLOADS = [
  'pairs',
  'groups',
  'receipts',
  'connects',
  'sync-http',
  'presence',
] as const;
export type WorkloadName = (typeof WORKLOADS)[number];

/** The workload and its own options. */
export interface Workload {
  name: WorkloadName;
  /** members of each conversation, and how many of them are connected */
  groupSize: number;
  online: number;
  /** conversations of each user, and messages in each, where connects are measured */
  conversations: number;
  history: number;
  /** who watches, and what changes; null: nobody watches */
  churn: ChurnRates | null;
}

/** What happens to presence in the workload `presence`. */
export interface ChurnRates {
  /** users on the list of each */
  watched: number;
  /** changes per second, by `state` */
  changes: number;
  /** sockets that are closed per second, and opened again */
  reconnects: number;
}

/** Of the users of the workload `presence` one in so many sends messages, and changes nothing. */
const TALKERS_OF = 10;
/** Each of the others has so long for one change, in the mean; closing and coming back are two. */
const SECONDS_PER_CHANGE = 4;
/** Whoever is in front and does nothing is away after five minutes: a run with its connects ends before. */
const MAX_CHURN_SECONDS = 240;

/** A member reads everything within this time in the workload `receipts`, seconds. */
export const READ_WITHIN_SECONDS = 5;

export const WORKLOAD_FLAGS = {
  workload: { type: 'string' },
  'group-size': { type: 'string' },
  online: { type: 'string' },
  deliveries: { type: 'string' },
  conversations: { type: 'string' },
  history: { type: 'string' },
  watched: { type: 'string' },
  changes: { type: 'string' },
  reconnects: { type: 'string' },
} as const;

export const WORKLOAD_USAGE = `
  --workload NAME   pairs (what is said above, the default), or
    groups          messages in groups: --group-size N members (10), --online N of them (all);
                    --users counts those who are online; --deliveries N instead of --rate: per second,
                    over all their devices
    receipts        every member reads everything within ${READ_WITHIN_SECONDS} s, after a run without that;
                    --rate 2000; pairs, or with --group-size groups (at most ${LIMITS.membersInline})
    connects        --rate connects per second (50), each with the first sync of a new device, then with
                    equal digests; --users (200) with --conversations N each (50), --history N messages
                    in each (12)
    sync-http       equal digests by POST /v1/sync, then by socket, --rate per second (20); watches
                    presence
    presence        --users (2000), each of whom watches --watched N others (20); --changes N per second
                    by \`state\` (200), --reconnects N sockets per second closed and opened again (10), in
                    turns with none of it; --rate messages per second all the time (200)
`;

type Values = Partial<Record<keyof typeof WORKLOAD_FLAGS, string>>;

/** What the options fall back to, by workload. */
export const DEFAULTS: Record<WorkloadName, { rate: number; users: number; groupSize: number }> = {
  pairs: { rate: 1000, users: 500, groupSize: 2 },
  groups: { rate: 1000, users: 500, groupSize: 10 },
  receipts: { rate: 2000, users: 500, groupSize: 2 },
  connects: { rate: 50, users: 200, groupSize: 2 },
  'sync-http': { rate: 20, users: 200, groupSize: 2 },
  presence: { rate: 200, users: 2000, groupSize: 2 },
};

/** The name of the workload. @throws StackError when there is none of that name. */
export function workloadName(text: string | undefined): WorkloadName {
  const name = WORKLOADS.find((one) => one === (text ?? 'pairs'));
  if (!name) throw new StackError(`--workload: one of ${WORKLOADS.join(', ')} is expected`);
  return name;
}

/** Reads the options of a workload. @throws StackError naming the one that cannot be used. */
export function parseWorkload(name: WorkloadName, values: Values): Workload {
  const takes = (option: keyof Values, names: readonly WorkloadName[]): void => {
    if (values[option] === undefined || names.includes(name)) return;
    throw new StackError(`--${option} goes with --workload ${names.join(' or ')} only`);
  };
  takes('group-size', ['groups', 'receipts']);
  takes('online', ['groups']);
  takes('deliveries', ['groups']);
  takes('conversations', ['connects', 'sync-http']);
  takes('history', ['connects', 'sync-http']);
  takes('watched', ['presence']);
  takes('changes', ['presence']);
  takes('reconnects', ['presence']);
  const groupSize = wholeNumber('group-size', values['group-size'], {
    fallback: DEFAULTS[name].groupSize,
    min: 2,
    max: name === 'receipts' ? LIMITS.membersInline : LIMITS.groupMembers,
  });
  return {
    name,
    groupSize,
    online: wholeNumber('online', values.online, { fallback: groupSize, min: 2, max: groupSize }),
    conversations: wholeNumber('conversations', values.conversations, {
      fallback: LIMITS.syncFirstConversations,
      min: 2,
      max: LIMITS.syncFirstConversations,
    }),
    history: wholeNumber('history', values.history, { fallback: 12, min: 1, max: 1000 }),
    churn: name === 'presence' ? parseChurn(values) : null,
  };
}

function parseChurn(values: Values): ChurnRates {
  const { watched, changes, reconnects } = values;
  return {
    watched: wholeNumber('watched', watched, { fallback: 20, min: 1, max: LIMITS.watch }),
    changes: wholeNumber('changes', changes, { fallback: 200, min: 1, max: 10_000 }),
    reconnects: wholeNumber('reconnects', reconnects, { fallback: 10, min: 0, max: 1_000 }),
  };
}

/** How many of the users of the workload `presence` write to each other, in pairs. */
export function talkersOf(users: number): number {
  return 2 * Math.max(1, Math.floor(users / TALKERS_OF / 2));
}

/** Why these rates of change cannot be measured with so many users and seconds; null: they can. */
export function churnRefusal(
  { watched, changes, reconnects }: ChurnRates,
  { users, seconds }: { users: number; seconds: number },
): string | null {
  if (watched >= users) return '--watched: less than --users is expected';
  if (seconds > MAX_CHURN_SECONDS) {
    return `--warmup and --seconds: together at most ${MAX_CHURN_SECONDS} are expected`;
  }
  const needed = (changes + 2 * reconnects) * SECONDS_PER_CHANGE;
  if (users - talkersOf(users) >= needed) return null;
  return `--users: ${needed} are needed beside ${talkersOf(users)} who write, so that nobody changes more often than is told`;
}
