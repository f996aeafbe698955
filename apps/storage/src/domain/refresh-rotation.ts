/** State of a device's login, as far as its refresh tokens depend on it. */
export interface RotationState {
  loggedIn: boolean;
  generation: string;
  /** Sequence of the token issued last. */
  issued: number;
  /** The highest sequence whose pair was used. */
  confirmed: number;
}

/** A refresh token that somebody presents. */
export interface PresentedToken {
  generation: string;
  sequence: number;
  expiresAtMs: number;
}

/** What becomes of it. */
export type RotationVerdict =
  | { kind: 'expired' }
  /** It was spent: whoever holds the newer one and whoever holds this one cannot both be the owner. */
  | { kind: 'reused' }
  /** A new pair with this sequence; the presented token counts as used. */
  | { kind: 'rotate'; sequence: number; confirmed: number };

/**
 * Judges a refresh token (rotation with re-use detection, RFC 9700 §4.14.2). Using a token confirms
 * it and spends those before it; it stays valid itself until a newer one is used, so that a lost
 * answer logs nobody out.
 */
export function judgeRefresh(
  state: RotationState,
  token: PresentedToken,
  nowMs: number,
): RotationVerdict {
  if (!state.loggedIn || token.generation !== state.generation) return { kind: 'expired' };
  if (token.sequence < state.confirmed) return { kind: 'reused' };
  if (token.expiresAtMs <= nowMs) return { kind: 'expired' };
  return { kind: 'rotate', sequence: state.issued + 1, confirmed: token.sequence };
}
