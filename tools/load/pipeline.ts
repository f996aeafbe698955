import type { Subject } from './args';
import type { Footprint } from './footprint';
import type { ConversationPlan, DevicePlan, Entrance } from './generator/protocol';
import type { WatchedProcess } from './processes';
import type { StoreSpec } from './store-watch';

/** Something that takes messages from devices to devices and into a store: product or baseline. */
export interface Pipeline {
  subject: Subject;
  entrance: Entrance;
  devices: DevicePlan[];
  conversations: ConversationPlan[];
  /** null: nobody can look into it but by the history */
  store: StoreSpec | null;
  /** its own processes and the servers behind it */
  readonly processes: WatchedProcess[];
  /** base addresses for reading the history; empty: there is none */
  historyUrls: string[];
  /** What its stores hold now; null: nobody looks. */
  footprint: (() => Promise<Footprint>) | null;
  /** How many records wait in all of its consumer groups; null: nobody looks. */
  lag: (() => Promise<number>) | null;
  /** Takes down what was started for it. Never rejects. */
  stop(): Promise<void>;
}

/** The subjects of a round, counted from 1: in turn, so that none is always the first. */
export function orderOf(round: number, subjects: readonly Subject[]): Subject[] {
  return round % 2 === 1 ? [...subjects] : [...subjects].reverse();
}

/**
 * Which gateway each of 2 × `pairs` devices belongs on: evenly spread, the two of a pair on
 * different gateways in every other pair.
 */
export function spreadPairs(pairs: number, gateways: number): number[] {
  const wanted: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const first = pair % gateways;
    const apart = Math.floor(pair / gateways) % 2 === 0;
    wanted.push(first, apart ? (first + 1) % gateways : first);
  }
  return wanted;
}

/**
 * Which gateway each of `groups` × `online` devices belongs on: each group evenly spread, beginning
 * with another gateway each time.
 */
export function spreadGroups(groups: number, online: number, gateways: number): number[] {
  return Array.from(
    { length: groups * online },
    (_, device) => (Math.floor(device / online) + (device % online)) % gateways,
  );
}
