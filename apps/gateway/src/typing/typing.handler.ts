import type { TypingFrame } from '@tidings/protocol/typing';
import { toTidingsError } from '@tidings/common/runtime/problem.filter';
import type { Lanes } from '../lanes/lanes';
import { TypingState } from '../socket/typing-state';
import type { Membership } from '../members/membership';
import type { Connection } from '../socket/connection';
import type { TypingFrames } from '../socket/frame-router';
import type { TypingLog } from './typing-log';
import type { TypingDrop, TypingMetrics } from './typing.metrics';

/** Frames that may wait for membership, over all sockets; more are dropped. */
const MAX_ASKING = 500;

export interface TypingHandlerParts {
  membership: Pick<Membership, 'maySend' | 'requireSender'>;
  log: Pick<TypingLog, 'append'>;
  metrics: TypingMetrics;
  lanes: Pick<Lanes, 'sheds'>;
  /** Monotonic milliseconds. */
  clock: () => number;
}

/**
 * Takes `typing` frames. They are never answered, whoever asks and whatever for: nothing can be learned
 * from them. They hold up nothing, and what is too much is dropped and counted.
 */
export class TypingHandler implements TypingFrames {
  private asking = 0;

  constructor(
    private readonly parts: TypingHandlerParts,
    private readonly most = MAX_ASKING,
  ) {}

  /** Whether the others would be told of it. */
  isNews(connection: Connection, { conversationId, active }: TypingFrame): boolean {
    const now = this.parts.clock();
    return (connection.typing ??= new TypingState()).isNews(conversationId, active, now);
  }

  /** Drops what came too soon. */
  limited(connection: Connection, frame: TypingFrame): void {
    this.drop(connection, frame, 'rate');
  }

  /** Takes one frame. */
  handle(connection: Connection, frame: TypingFrame): Promise<void> | void {
    if (this.parts.lanes.sheds('typing')) return this.drop(connection, frame, 'shed');
    const { conversationId, active } = frame;
    const now = this.parts.clock();
    const state = (connection.typing ??= new TypingState());
    if (active) return this.begin(connection, state, conversationId, now);
    if (state.ends(conversationId, now)) this.tell(connection, conversationId, false);
  }

  /** A socket has closed: its user writes nothing there any more. */
  closed(connection: Connection): void {
    const conversations = connection.typing?.endAll(this.parts.clock()) ?? [];
    connection.typing = null;
    for (const conversationId of conversations) this.tell(connection, conversationId, false);
  }

  private drop(
    connection: Connection,
    { conversationId, active }: TypingFrame,
    why: TypingDrop,
  ): void {
    if (!active) connection.typing?.ends(conversationId, this.parts.clock());
    this.parts.metrics.lost(why);
  }

  private begin(
    connection: Connection,
    state: TypingState,
    conversationId: string,
    now: number,
  ): Promise<void> | void {
    const { membership, metrics } = this.parts;
    const noted = state.begins(conversationId, now);
    if (!noted) return;
    if (membership.maySend(conversationId, connection.userId)) {
      state.told(conversationId, noted);
      this.tell(connection, conversationId, true);
    } else if (this.asking < this.most) {
      return this.ask(connection, state, conversationId, noted);
    } else {
      state.refused(conversationId, noted);
      metrics.lost('busy');
    }
  }

  private async ask(
    connection: Connection,
    state: TypingState,
    conversationId: string,
    noted: object,
  ): Promise<void> {
    const { membership, metrics } = this.parts;
    this.asking += 1;
    try {
      await membership.requireSender(conversationId, connection.userId);
      // The user may have stopped meanwhile, or gone.
      if (state.told(conversationId, noted)) this.tell(connection, conversationId, true);
    } catch (error) {
      state.refused(conversationId, noted);
      metrics.lost(toTidingsError(error).retryable ? 'unavailable' : 'refused');
    } finally {
      this.asking -= 1;
    }
  }

  private tell({ userId }: Connection, conversationId: string, active: boolean): void {
    const { lanes, metrics, log } = this.parts;
    if (lanes.sheds('typing')) metrics.lost('shed');
    else log.append({ conversationId, userId, active });
  }
}
