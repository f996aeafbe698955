import type { ClientEvents, ReadBy } from '@tidings/sdk';
import type { ChatFloor } from './chat-floor';
import { TICKS } from './message-lines';

/** Says in a pipe how far the newest own message of the open chat has come. */
export class ReadNotes {
  private said = '';

  constructor(private readonly floor: ChatFloor) {
    floor.client.on('receipt', (event) => this.heard(event));
  }

  private heard({ conversationId, userId, own }: ClientEvents['receipt']): void {
    const { people, status, transcript, lastOwn } = this.floor;
    const room = this.floor.room();
    if (own || !room || room.conversationId !== conversationId) return;
    const newest = lastOwn();
    if (!newest) return;
    const progress = transcript.progress(newest);
    if (progress.read === 0) return;
    const line = room.user ? `✔✔ read by ${people.name(userId)}` : readSentence(progress)!;
    const key = `${newest.messageId} ${line}`;
    if (key === this.said) return;
    this.said = key;
    status(line);
  }
}

/** `✓ read by 1 of 2`; null: nothing to tell. */
export function readSentence({ delivered, read, of }: ReadBy): string | null {
  if (of === 0) return null;
  if (read > 0) return `${read === of ? '✔✔' : TICKS.sent} read by ${read} of ${of}`;
  return delivered > 0
    ? `${delivered === of ? '✓✓' : TICKS.sent} with ${delivered} of ${of}`
    : null;
}
