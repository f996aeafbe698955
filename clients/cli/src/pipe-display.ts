import type { ClientEvents, Message, Outgoing, TidingsClient } from '@tidings/sdk';
import type { ChatFloor } from './chat-floor';
import type { OpenRoom } from './chat-parts';
import { ConnectionNotes } from './connection-notes';
import type { Display } from './display';
import { IncomingLines } from './incoming-lines';
import { OutgoingLines } from './outgoing-lines';
import { ReadNotes } from './read-notes';
import { BACK_TO_NOW } from './transcript';

/** Said of a chat that was opened while the server could not be asked. */
export function partialText({ state }: Pick<TidingsClient, 'state'>): string {
  const later = 'older messages come later';
  return state === 'online'
    ? `the server cannot do that right now — ${later}`
    : `offline — ${later}`;
}

/** A chat in a pipe: what was printed cannot be changed, so every change is a line of its own. */
export class PipeDisplay implements Display {
  private readonly incoming: IncomingLines;
  private readonly outgoing: OutgoingLines;

  constructor(
    private readonly floor: ChatFloor,
    connection: ConnectionNotes,
  ) {
    this.outgoing = new OutgoingLines(floor, connection);
    this.incoming = new IncomingLines(floor, this.outgoing.isMine);
    new ReadNotes(floor);
    floor.client.on('expired', ({ messageIds }) => this.gone(messageIds));
    floor.client.on('synced', ({ inStep }) => {
      if (inStep) this.incoming.inStep();
    });
    connection.on((down) => {
      const { screen } = floor;
      const { bad, dim } = screen.style;
      screen.print(
        down ? bad('  offline — what you type is kept and sent later') : dim('  back online'),
      );
    });
  }

  begin(): void {
    this.incoming.begin();
    for (const outgoing of this.floor.client.unsent) this.outgoing.written(outgoing);
  }

  end(): void {}

  entered(): void {}

  opened(room: OpenRoom, messages: readonly Message[], about: string): void {
    const { client, screen, transcript, status, header } = this.floor;
    screen.print('', header(room, about));
    if (room.partial) status(partialText(client));
    else if (messages.length === 0) status('no messages yet');
    screen.print(...transcript.lines(...messages));
    this.read(room);
  }

  closed(): void {}

  earlier(messages: readonly Message[]): void {
    const { screen, transcript, status } = this.floor;
    status('earlier:');
    screen.print(...transcript.lines(...messages));
    status(BACK_TO_NOW);
  }

  completed(messages: readonly Message[]): void {
    const { screen, transcript, room } = this.floor;
    const missing = messages.filter(({ messageId }) => !transcript.has(messageId));
    screen.print(...missing.flatMap((message) => transcript.news(message)));
    this.read(room());
  }

  written(outgoing: Outgoing): void {
    this.outgoing.written(outgoing);
  }

  clear(): void {}

  private read(room: OpenRoom | null): void {
    if (room?.conversationId) this.floor.client.markRead(room.conversationId);
  }

  private gone(messageIds: ClientEvents['expired']['messageIds']): void {
    const { transcript, status } = this.floor;
    const count = messageIds.filter((id) => transcript.has(id)).length;
    if (count > 0) status(goneText(count));
  }
}

/** `2 messages have disappeared`. */
export function goneText(count: number): string {
  return count === 1 ? 'a message has disappeared' : `${count} messages have disappeared`;
}
