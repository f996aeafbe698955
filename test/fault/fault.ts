import type { Random } from '../../tools/load/random';
import type { Stack } from '../../tools/stack/stack';
import type { Network } from './people/network';

/** What a fault may have to know of those who chat meanwhile. */
interface Chatting {
  /** Messages of which a gateway has said that it holds them. */
  readonly heldIds: ReadonlySet<string>;
}

/** The same of people, of whom everything is written down. */
export interface Chatters extends Chatting {
  /** Ids of all messages that somebody has sent so far, and of those that were acknowledged. */
  begun(): string[];
  acknowledged(): string[];
  /** The same numbers for the same seed. */
  readonly random: Random;
  /** Writes down what is done. */
  note(words: string): void;
  /** Only where the fault says `proxied`. */
  readonly network?: Network;
}

/** One kind of damage, and what must hold beside the invariants. Times in milliseconds. */
export interface Fault<C extends Chatting = Chatting> {
  name: string;
  /** Does the damage and repairs it; settles when the part is back. */
  strike: (stack: Stack, chatting: C) => Promise<void>;
  /** The silence of conversations counts of which one end at least is elsewhere; left out: of all. */
  elsewhere?: string;
  /** Longest silence, during the whole fault (`whole`) or after the part was back. */
  silence: { whole: number } | { afterBack: number };
  /** How long people send, seconds; default 32. */
  seconds?: number;
  /** How much they do a second; default 80. */
  perSecond?: number;
  /** Proxies stand between people and gateways, and between services, Redis and PostgreSQL. */
  proxied?: true;
  /** Messages must have been held on gateways' disks: so many at least. */
  held?: number;
  /** So many sends at least got their `sent` while the part was away: who is connected goes on. */
  acknowledgedMeanwhile?: number;
  /**
   * Devices that were away so long that a sync leaves out the middle (`more`): they page it in, as an
   * application does whose user scrolls up.
   */
  longAway?: true;
  /** What else must be true when all is over. */
  afterwards?: (stack: Stack, chatting: C) => Promise<void>;
}

export const downFor = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
