import { contentText, type Content } from '@tidings/protocol/content';
import type { OutboxEntry, OutgoingState } from './outbox-lane';
import type { OutboxRecord } from './outbox-store';
import type { Place } from './outbox';

/**
 * How sending a message ended. `stopped`: the client was stopped first; the message may still be
 * sent.
 */
export type Outcome =
  | { state: 'sent'; place: Place }
  | { state: 'failed'; code: string; detail: string }
  | { state: 'stopped' };

function contentLabel(content: Content): string {
  return content.kind === 'file' ? content.name : contentText(content);
}

/** A message being sent, as the application sees it. */
export class Outgoing {
  private entry: OutboxEntry | null = null;
  private outcome: Outcome | null = null;
  private readonly waiters: ((outcome: Outcome) => void)[] = [];

  constructor(readonly record: OutboxRecord) {}

  get messageId(): string {
    return this.record.messageId;
  }

  /** Its text; the caption of an image, the name of a file. */
  get text(): string {
    return contentLabel(this.record.content);
  }

  /** Where it is now. */
  get state(): OutgoingState {
    if (this.outcome && this.outcome.state !== 'stopped') return this.outcome.state;
    return this.entry?.state ?? 'waiting';
  }

  /** Resolves when it is sent, has failed, or the client stops. Never rejects. */
  settled(): Promise<Outcome> {
    if (this.outcome) return Promise.resolve(this.outcome);
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Binds it to the entry of the outbox. */
  follow(entry: OutboxEntry): void {
    this.entry = entry;
  }

  /** Ends it. Only the first call counts. */
  settle(outcome: Outcome): void {
    if (this.outcome) return;
    this.outcome = outcome;
    for (const resolve of this.waiters.splice(0)) resolve(outcome);
  }
}
