import type { MarkFrame } from '@tidings/protocol/frames';
import { comparePositions } from '@tidings/protocol/positions';
import { mergeMarks, NO_MARKS, type Marks } from '@tidings/protocol/receipt-marks';
import type { Cancel, Clock } from './clock';

/** Marks that are raised within this time are sent together, in milliseconds. */
export const COALESCE_MS = 200;
/** Frames per turn: well below what a gateway takes from a socket. */
export const FRAMES_PER_TURN = 9;
const FRAMES_PER_CONVERSATION = 2;
/** Marks that the server could not take are raised again after this time, in milliseconds. */
export const REFUSED_MS = 5_000;

export interface MarkSenderDeps {
  clock: Clock;
  /** Sends a frame; false: not connected. */
  send(frame: string): boolean;
  /** This user's marks as they should be. `known`: confirmed, or raised already. */
  wanted(conversationId: string, known: Marks): Marks;
  /** This user's marks as the server knows them. */
  confirmed(conversationId: string): Marks;
}

/**
 * Raises this user's watermarks: coalesced, paced, and after each sync again whatever the server
 * does not show. Nothing is sent before the first sync of a connection has shown what the server
 * knows.
 */
export class MarkSender {
  private open = false;
  private readonly due = new Set<string>();
  /** What was raised over this connection. */
  private readonly raised = new Map<string, Marks>();
  private timer: Cancel | null = null;
  private retry: Cancel | null = null;
  private readonly refusedIds = new Set<string>();

  constructor(private readonly deps: MarkSenderDeps) {}

  /**
   * A sync has delivered the server's marks: raises those of these conversations that are higher
   * here.
   */
  synced(conversationIds: Iterable<string>): void {
    this.open = true;
    this.raised.clear();
    for (const id of conversationIds) this.due.add(id);
    this.arm();
  }

  /**
   * A sync has delivered the marks of one conversation. A raised mark that is missing there did not
   * arrive (it belonged to a membership that ended), or is on its way; sending it twice does no
   * harm.
   */
  served(conversationId: string): void {
    this.raised.delete(conversationId);
    this.note(conversationId);
  }

  /** The connection is lost. */
  disconnected(): void {
    this.open = false;
    this.due.clear();
    this.raised.clear();
    this.refusedIds.clear();
    this.timer?.();
    this.retry?.();
    this.timer = this.retry = null;
  }

  /** The marks of a conversation may need raising. */
  note(conversationId: string): void {
    if (!this.open) return;
    this.due.add(conversationId);
    this.arm();
  }

  /** The server cannot take marks of this conversation now. */
  refused(conversationId: string): void {
    this.refusedIds.add(conversationId);
    this.retry ??= this.deps.clock.after(REFUSED_MS, () => {
      this.retry = null;
      for (const id of this.refusedIds) {
        this.raised.delete(id);
        this.note(id);
      }
      this.refusedIds.clear();
    });
  }

  private arm(): void {
    if (this.due.size === 0) return;
    this.timer ??= this.deps.clock.after(COALESCE_MS, () => {
      this.timer = null;
      this.turn();
      this.arm();
    });
  }

  private turn(): void {
    let room = FRAMES_PER_TURN;
    for (const conversationId of this.due) {
      if (room < FRAMES_PER_CONVERSATION) return;
      this.due.delete(conversationId);
      for (const frame of this.framesOf(conversationId)) {
        this.deps.send(JSON.stringify(frame));
        room -= 1;
      }
    }
  }

  private framesOf(conversationId: string): MarkFrame[] {
    const { wanted, confirmed } = this.deps;
    const known = mergeMarks(
      confirmed(conversationId),
      this.raised.get(conversationId) ?? NO_MARKS,
    );
    const { delivered, read } = wanted(conversationId, known);
    const frames: MarkFrame[] = [];
    if (comparePositions(read, known.read) > 0) {
      frames.push({ type: 'read', conversationId, position: read });
    }
    const { delivered: then } = mergeMarks(known, { read });
    if (comparePositions(delivered, then) > 0) {
      frames.push({ type: 'received', conversationId, position: delivered });
    }
    this.raised.set(conversationId, mergeMarks(known, { delivered, read }));
    return frames;
  }
}
