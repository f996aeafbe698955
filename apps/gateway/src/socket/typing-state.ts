import { TYPING } from '@tidings/protocol/typing';

/** A repetition sooner than this says nothing new, in milliseconds. */
export const REPEAT_MS = TYPING.repeatMs - 1_000;
/** Conversations in which one connection may write at the same time. */
export const MAX_CONVERSATIONS = 4;

interface Said {
  /** Monotonic milliseconds. */
  at: number;
  /** It has gone out to the others. */
  told: boolean;
}

/** Where the user of one connection is writing, as far as it was said lately. */
export class TypingState {
  private readonly said = new Map<string, Said>();

  /** Whether a beginning or an end tells the others anything. `now`: monotonic ms, here and below. */
  isNews(conversationId: string, active: boolean, now: number): boolean {
    const known = this.said.get(conversationId);
    if (active) return !known || now - known.at >= REPEAT_MS;
    return known !== undefined;
  }

  /** Notes that the user writes; null: nothing new. Else what {@link told} takes. */
  begins(conversationId: string, now: number): object | null {
    const known = this.said.get(conversationId);
    if (known && now - known.at < REPEAT_MS) return null;
    this.said.delete(conversationId);
    if (this.said.size >= MAX_CONVERSATIONS) {
      // The longest unrepeated one: its receivers take it for over by themselves.
      this.said.delete(this.said.keys().next().value!);
    }
    const said: Said = { at: now, told: false };
    this.said.set(conversationId, said);
    return said;
  }

  /** Whether what was noted still holds: it goes out now. */
  told(conversationId: string, noted: object): boolean {
    const said = this.said.get(conversationId);
    if (!said || said !== noted) return false;
    said.told = true;
    return true;
  }

  /** Forgets what was noted: it did not go out. */
  refused(conversationId: string, noted: object): void {
    if (this.said.get(conversationId) === noted) this.said.delete(conversationId);
  }

  /** The user stopped; whether the others are to be told. */
  ends(conversationId: string, now: number): boolean {
    const said = this.said.get(conversationId);
    this.said.delete(conversationId);
    return said !== undefined && isFresh(said, now);
  }

  /** The connection ended: of which conversations the others are to be told. */
  endAll(now: number): string[] {
    const fresh = [...this.said].filter(([, said]) => isFresh(said, now));
    this.said.clear();
    return fresh.map(([conversationId]) => conversationId);
  }
}

/** After a while the receivers have taken it for over by themselves. */
function isFresh({ at, told }: Said, now: number): boolean {
  return told && now - at < TYPING.staleMs;
}
