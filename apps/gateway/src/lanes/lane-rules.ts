import { LANES, type Lane } from '@tidings/protocol/lanes';

/** What is measured once a second. */
export interface Pressure {
  /** How late the event loop is: 99th percentile of the last second, milliseconds. */
  loopDelayMs: number;
  /** Messages on their way into the log. */
  queuedRecords: number;
  /** Entries of the inbox that wait to be read. */
  inboxEntries: number;
  /** Age of the oldest record that a consumer group has not applied. */
  lagSeconds: number;
}
export type Measure = keyof Pressure;

/** Above these the first lane is shed; 0: this measure does not count. */
export type Thresholds = Record<Measure, number>;

/** So many times its threshold a measure has to be for each lane to be shed, and for messages to be refused. */
export const SHED_AT: Readonly<Record<Lane, number>> = { typing: 1, presence: 2, receipts: 4 };
export const REFUSE_TEXT_AT = 8;
/** A lane is needed until the measures are below this part of what it was shed at. */
export const CALM_PART = 0.7;
/** A lane is given back when it was not needed for so long, milliseconds. */
export const CALM_MS = 10_000;
/** So many looks in a row have to ask for one more lane: one late second is none. */
export const RISING_LOOKS = 2;
/** Messages are refused only when all lanes have been shed for so long and it did not help, milliseconds. */
export const HELPS_WITHIN_MS = 5_000;

/** What messages do not answer for: they are not refused because others are behind. */
const TEXT_MEASURES: readonly Measure[] = ['loopDelayMs', 'queuedRecords'];

/** How much is shed, and what was needed when; times in monotonic milliseconds. */
export interface Shedding {
  /** Lanes that are shed: the first so many of `LANES`. */
  readonly level: number;
  /** Messages are answered `busy`, too. */
  readonly text: boolean;
  /** Looks in a row that asked for more. */
  readonly rising: number;
  /** When each lane was needed last. */
  readonly neededAt: readonly number[];
  /** Since when all lanes are shed; null: they are not. */
  readonly fullSince: number | null;
}

export const NOTHING_SHED: Shedding = {
  level: 0,
  text: false,
  rising: 0,
  neededAt: LANES.map(() => -Infinity),
  fullSince: null,
};

/** How often its threshold each measure is; the greatest decides. */
export function loadOf(
  pressure: Pressure,
  thresholds: Thresholds,
  measures = Object.keys(pressure) as readonly Measure[],
): number {
  return Math.max(...measures.map((name) => ratio(pressure[name], thresholds[name])));
}

/**
 * What is shed after one more look, at the time `now`. It goes up lane by lane, and comes down at once to
 * what was needed in the last {@link CALM_MS}.
 */
export function nextShedding(
  before: Shedding,
  pressure: Pressure,
  thresholds: Thresholds,
  now: number,
): Shedding {
  const load = loadOf(pressure, thresholds);
  const needed = lanesAt(load / CALM_PART);
  const neededAt = before.neededAt.map((at, lane) => (lane < needed ? now : at));
  const kept = neededAt.filter((at) => now - at < CALM_MS).length;
  const rising = lanesAt(load) > before.level ? before.rising + 1 : 0;
  const rises = rising >= RISING_LOOKS;
  const level = rises ? before.level + 1 : Math.min(before.level, kept);
  const fullSince = level < LANES.length ? null : (before.fullSince ?? now);
  const text = refusesText(before.text, fullSince, pressure, thresholds, now);
  return { level, text, rising: rises ? 0 : rising, neededAt, fullSince };
}

/** The lanes that are shed, in their order. */
export function lanesOf({ level }: Shedding): readonly Lane[] {
  return LANES.slice(0, level);
}

function lanesAt(load: number): number {
  return LANES.filter((lane) => load >= SHED_AT[lane]).length;
}

function refusesText(
  refused: boolean,
  fullSince: number | null,
  pressure: Pressure,
  thresholds: Thresholds,
  now: number,
): boolean {
  if (fullSince === null || now - fullSince < HELPS_WITHIN_MS) return false;
  const load = loadOf(pressure, thresholds, TEXT_MEASURES);
  return load >= REFUSE_TEXT_AT * (refused ? CALM_PART : 1);
}

function ratio(value: number, threshold: number): number {
  return threshold === 0 ? 0 : value / threshold;
}
