import type { Ledger } from '../ledger';
import type { Word } from '../presence-ledger';
import type { GeneratorResult } from './protocol';

const RESEND_TICK_MS = 25;
const DEFAULT_RETRY_MS = 250;

/** The fields of the rarer frames that matter here. */
interface OtherFrame {
  type?: string;
  messageId?: string;
  position?: string;
  previous?: string | null;
  code?: string;
  retryable?: boolean;
  retryAfterMs?: number;
  conversationId?: string;
  userId?: string;
  read?: string;
  status?: Word['status'];
  lastSeenAt?: string | null;
  activeAt?: string | null;
  version?: number;
}

/** Who does what the frames ask for. */
export interface OtherFramesHooks {
  sendAgain: (message: number) => void;
  receipt: (
    device: number,
    receipt: { conversationId: string; userId: string; read: number },
  ) => void;
  presence: (device: number, userId: string, word: Word) => void;
}

type Counts = Pick<
  GeneratorResult,
  'refused' | 'failed' | 'resent' | 'held' | 'pending' | 'resyncs' | 'foreign'
>;

/**
 * Everything that is neither `message` nor `sent`: counted; a retryable refusal is sent again, the
 * oldest first, as protocol.md §3 asks of a client.
 */
export class OtherFrames {
  /** pushes and answers of messages that are not of this run */
  foreign = 0;
  /** sends that were refused for good */
  failedSends = 0;
  private resent = 0;
  private held = 0;
  private pending = 0;
  private resyncs = 0;
  private readonly refused: Record<string, number> = {};
  private readonly failed: Record<string, number> = {};
  /** refused messages and when to send them again, per device */
  private readonly waiting = new Map<number, { messages: Set<number>; dueMs: number }>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly ledger: Ledger,
    private readonly hooks: OtherFramesHooks,
  ) {
    this.timer = setInterval(() => this.resend(Date.now()), RESEND_TICK_MS);
    this.timer.unref();
  }

  /** Takes one frame that came to a device. */
  take(device: number, text: string, messageOf: (id: string) => number): void {
    const frame = JSON.parse(text) as OtherFrame;
    switch (frame.type) {
      case 'conversation':
      case 'changed':
        this.link(device, frame);
        break;
      case 'error':
        this.refusal(device, frame, messageOf(frame.messageId ?? ''));
        break;
      case 'receipt':
        this.receipt(device, frame);
        break;
      case 'presence':
        this.presence(device, frame);
        break;
      case 'held':
        this.held++;
        break;
      case 'pending':
        this.pending++;
        break;
      case 'resync':
        this.resyncs++;
        break;
      case 'message':
      case 'sent':
        this.ledger.invented(`a frame of unknown form: ${text.slice(0, 200)}`);
        break;
      default:
        break;
    }
  }

  /** What was counted. */
  counts(): Counts {
    const { refused, failed, resent, held, pending, resyncs, foreign } = this;
    return { refused, failed, resent, held, pending, resyncs, foreign };
  }

  /** Ends the timer. */
  stop(): void {
    clearInterval(this.timer);
  }

  private link(device: number, frame: OtherFrame): void {
    const previous = frame.previous == null ? Number.NaN : Number(frame.previous);
    this.ledger.pushOther(device, Number(frame.position), previous);
  }

  private receipt(device: number, { conversationId, userId, read }: OtherFrame): void {
    if (conversationId === undefined || userId === undefined || read === undefined) return;
    this.hooks.receipt(device, { conversationId, userId, read: Number(read) });
  }

  private presence(device: number, frame: OtherFrame): void {
    const { userId, status, lastSeenAt = null, activeAt = null, version } = frame;
    if (userId === undefined || status === undefined || typeof version !== 'number') return;
    this.hooks.presence(device, userId, { status, lastSeenAt, activeAt, version });
  }

  private refusal(device: number, frame: OtherFrame, message: number): void {
    const code = frame.code ?? 'unknown';
    if (frame.retryable !== true || message < 0) {
      this.failed[code] = (this.failed[code] ?? 0) + 1;
      if (message >= 0) this.failedSends++;
      return;
    }
    this.refused[code] = (this.refused[code] ?? 0) + 1;
    const dueMs = Date.now() + (frame.retryAfterMs ?? DEFAULT_RETRY_MS);
    const entry = this.waiting.get(device) ?? { messages: new Set(), dueMs };
    this.waiting.set(device, entry);
    entry.messages.add(message);
    entry.dueMs = Math.max(entry.dueMs, dueMs);
  }

  private resend(nowMs: number): void {
    for (const [device, { messages, dueMs }] of this.waiting) {
      if (dueMs > nowMs) continue;
      this.waiting.delete(device);
      for (const message of [...messages].sort((a, b) => a - b)) {
        this.resent++;
        this.hooks.sendAgain(message);
      }
    }
  }
}
