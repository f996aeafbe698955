/** How many numbers below a caller's highest may still arrive, for each caller: 1 KiB of bits. */
const WINDOW = 8_192;
/** How many callers are remembered at the same time. */
const CALLERS = 1_024;

interface Caller {
  highest: number;
  /** One bit per number of the window, at its remainder. */
  bits: Uint32Array;
  lastAt: number;
}

/**
 * Detects numbers that were used before (the anti-replay window of RFC 4303, 3.4.3, kept as in RFC
 * 6479): per caller one bit for each of the latest numbers; older ones are refused. Its memory is
 * bounded by the number of callers. A caller that was silent for as long as its calls would be
 * accepted is forgotten: those are refused for their age.
 */
export class ReplayWindow {
  private readonly callers = new Map<string, Caller>();

  /** `forgetMs`: how old a call may be, or how far ahead, in milliseconds. */
  constructor(private readonly forgetMs: number) {}

  /** True for a number that this caller has not used before; from now on it is used. */
  take(name: string, number: number, nowMs: number): boolean {
    const caller = this.callers.get(name) ?? this.added(name, number, nowMs);
    if (!caller) return false;
    caller.lastAt = nowMs;
    if (number > caller.highest) this.advance(caller, number);
    else if (caller.highest - number >= WINDOW) return false;
    const place = number % WINDOW;
    const word = place >>> 5;
    const bit = 1 << (place & 31);
    if ((caller.bits[word]! & bit) !== 0) return false;
    caller.bits[word]! |= bit;
    return true;
  }

  /** Clears the bits of the numbers between the old highest and the new one. */
  private advance(caller: Caller, number: number): void {
    if (number - caller.highest >= WINDOW) {
      caller.bits.fill(0);
    } else {
      for (let next = caller.highest + 1; next <= number; next++) {
        const place = next % WINDOW;
        caller.bits[place >>> 5]! &= ~(1 << (place & 31));
      }
    }
    caller.highest = number;
  }

  /** A new caller; null when there are too many within the time. */
  private added(name: string, number: number, nowMs: number): Caller | null {
    if (this.callers.size >= CALLERS) this.forget(nowMs);
    if (this.callers.size >= CALLERS) return null;
    const caller = { highest: number, bits: new Uint32Array(WINDOW / 32), lastAt: nowMs };
    this.callers.set(name, caller);
    return caller;
  }

  private forget(nowMs: number): void {
    for (const [name, { lastAt }] of this.callers) {
      // twice: calls dated ahead by a fast clock are too old only then
      if (nowMs - lastAt > 2 * this.forgetMs) this.callers.delete(name);
    }
  }
}
