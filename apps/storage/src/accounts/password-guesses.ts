import { createHash } from 'node:crypto';
import { TidingsError } from '@tidings/protocol/errors';
import type { Attempt, GuessStore, TakenGuess } from '@tidings/common/redis/guesses';
import { clientNetwork } from '@tidings/common/runtime/client-network';
import type { Flow } from '@tidings/common/runtime/fair-queue';
import { within } from '@tidings/common/runtime/waiting';

/** A Redis that does not answer within this time is passed over, milliseconds. */
const SHARED_MS = 300;

/** What became of a guess, for the metrics; `alone`: Redis was away, only this process counted. */
export type GuessOutcome = 'right' | 'wrong' | 'refused' | 'alone';

/**
 * Bounds how fast passwords of one account can be guessed, whether it exists or not. It is never
 * locked: devices and networks that were logged in before have lanes of their own, which strangers
 * cannot fill (the idea of OWASP's device cookies; a device id is known to its owner alone).
 */
export class PasswordGuesses {
  constructor(
    private readonly shared: GuessStore,
    private readonly own: GuessStore,
    private readonly counted: (outcome: GuessOutcome) => void = () => undefined,
  ) {}

  /**
   * Counts an attempt, looks whether it is right, and takes it back then. Throws `rate_limited`, with
   * the time to wait, without looking; what `isRight` throws.
   */
  async judge(attempt: Attempt, isRight: () => Promise<boolean>): Promise<boolean> {
    const taken = await this.take(attempt);
    const right = await isRight();
    this.counted(right ? 'right' : 'wrong');
    if (right) await this.free(taken);
    return right;
  }

  private async take(attempt: Attempt): Promise<TakenGuess> {
    const outcome = await within(this.shared.take(attempt), SHARED_MS).catch(() => {
      this.counted('alone');
      return this.own.take(attempt);
    });
    if ('taken' in outcome) return outcome.taken;
    this.counted('refused');
    throw new TidingsError('rate_limited', {
      detail: 'Too many wrong passwords for this account; try again later',
      retryAfterMs: outcome.waitMs,
    });
  }

  private async free(taken: TakenGuess): Promise<void> {
    await this.own.right(taken);
    // Without Redis the lane empties by itself.
    await within(this.shared.right(taken), SHARED_MS).catch(() => undefined);
  }
}

/** Who tries, in the words of the counts. `name`: the account's name as it is compared, or as typed. */
export function attemptOf(
  name: string,
  address: string | undefined,
  deviceId: string | null,
  guessId: string | null = null,
): Attempt {
  return { account: hashOf(name), network: hashOf(clientNetwork(address)), deviceId, guessId };
}

/** The line in which the attempt waits for its hash. */
export function flowOf({ account, network }: Attempt): Flow {
  return { network, account };
}

/** Whether an attempt was refused for too many wrong ones before it. */
export function isRateLimited(error: unknown): boolean {
  return error instanceof TidingsError && error.code === 'rate_limited';
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 32);
}
