import type { ClientEvents, Message } from '@tidings/sdk';
import type { ChatFloor } from './chat-floor';
import { TICKS } from './message-lines';

/** Says how far the newest own message of the open chat has come. */
export class ReadNotes {
  private said = '';

  constructor(
    private readonly floor: ChatFloor,
    private readonly lastOwn: () => Message | undefined,
  ) {
    floor.client.on('receipt', (event) => this.heard(event));
  }

  /** A line for above the prompt of a group: `✔✔ read by 2 of 5`; null: nothing to tell. */
  footer(): string | null {
    const room = this.floor.room();
    const newest = room && !room.user ? this.lastOwn() : undefined;
    return newest ? this.sentence(newest) : null;
  }

  private heard({ conversationId, userId, own }: ClientEvents['receipt']): void {
    const room = this.floor.room();
    if (own || !room || room.conversationId !== conversationId) return;
    const newest = this.lastOwn();
    if (!newest) return;
    if (!room.user && this.floor.screen.interactive) return this.floor.prompt();
    const { read } = this.floor.transcript.progress(newest);
    if (read === 0) return;
    const line = room.user
      ? `✔✔ read by ${this.floor.people.name(userId)}`
      : this.sentence(newest)!;
    const key = `${newest.messageId} ${line}`;
    if (key === this.said) return;
    this.said = key;
    this.floor.status(line);
  }

  private sentence(message: Message): string | null {
    const { delivered, read, of } = this.floor.transcript.progress(message);
    if (of === 0) return null;
    if (read > 0) return `${read === of ? '✔✔' : TICKS.sent} read by ${read} of ${of}`;
    return delivered > 0
      ? `${delivered === of ? '✓✓' : TICKS.sent} with ${delivered} of ${of}`
      : null;
  }
}
