import { hash, verify } from '@node-rs/argon2';
import type { Flow } from '@tidings/common/runtime/fair-queue';
import { FairTurns } from '@tidings/common/runtime/fair-turns';

/** argon2id (the library's default) with OWASP's parameters (ASVS 11.4.2): 19 MiB, two passes, one lane. */
const PARAMETERS = {
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
} as const;

/** How many hashes are computed at the same time, on libuv's threads. */
const CONCURRENCY = 2;
/** How many may wait: in all, of a network, of one network for one account; more are `busy`. */
const WAITING = { total: 300, perNetwork: 150, perFlow: 32 };
/** A client that waited this long has given up, milliseconds. */
const WAIT_LIMIT_MS = 2_500;
/** Work of no client: the seed's. */
const NOBODY: Flow = { network: '', account: '' };

/**
 * Hashes and checks passwords off the event loop, a bounded number at a time. Networks take turns, and
 * within a network accounts, so that a flood delays nobody else by more than a few hashes.
 */
export class PasswordHasher {
  private readonly turns: FairTurns;
  private readonly dummy: Promise<string>;

  constructor(clock: () => number = () => performance.now()) {
    const detail = 'Too many people log in or register right now';
    this.turns = new FairTurns(
      { concurrency: CONCURRENCY, limits: WAITING, waitLimitMs: WAIT_LIMIT_MS, detail },
      clock,
    );
    this.dummy = hash('the password of nobody', PARAMETERS);
  }

  /** PHC string of a new password. Throws `busy`. */
  hash(password: string, flow: Flow = NOBODY): Promise<string> {
    return this.turn(flow, () => this.hashNow(password));
  }

  /** Whether a password fits a PHC string; null, for an unknown user, costs the same. Throws `busy`. */
  verify(phc: string | null, password: string, flow: Flow = NOBODY): Promise<boolean> {
    return this.turn(flow, () => this.verifyNow(phc, password));
  }

  /** Runs work that hashes when its turn comes. Throws `busy`, and what the work throws. */
  turn<T>(flow: Flow, work: () => Promise<T>): Promise<T> {
    return this.turns.take(flow, work);
  }

  /** As {@link hash}, in a turn that one has. */
  hashNow(password: string): Promise<string> {
    return hash(Buffer.from(password), PARAMETERS);
  }

  /** As {@link verify}, in a turn that one has. */
  async verifyNow(phc: string | null, password: string): Promise<boolean> {
    const fits = await verify(phc ?? (await this.dummy), Buffer.from(password));
    return fits && phc !== null;
  }

  /** Passwords that wait for their turn. */
  get queued(): number {
    return this.turns.queued;
  }

  /** Passwords that were refused as `busy`. */
  get refused(): number {
    return this.turns.refused;
  }
}
