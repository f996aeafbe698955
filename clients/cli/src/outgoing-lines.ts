import type { ClientEvents, Outgoing, Place } from '@tidings/sdk';
import type { ChatFloor } from './chat-floor';
import type { ConnectionNotes } from './connection-notes';
import { codeSentence } from './friendly-errors';
import { clockTime, messageLines, outgoingText, TICKS } from './message-lines';
import type { Rooms } from './rooms';
import { safeLine } from './safe-text';
import { UnderWay } from './under-way';

/** Why a message was not sent, for people. */
export function whyNotSent(
  outgoing: Outgoing | undefined,
  { code, detail }: Pick<ClientEvents['failed'], 'code' | 'detail'>,
  rooms: Pick<Rooms, 'title'>,
): string {
  const { conversationId } = outgoing?.record ?? {};
  const group = conversationId === undefined ? undefined : rooms.title(conversationId);
  if (group === undefined || code !== 'no_such_conversation') return codeSentence(code, detail);
  return `You are no longer in ${group}.`;
}

/** Prints what becomes of own messages: waiting, held, sent, not sent; and who is not there. */
export class OutgoingLines {
  private readonly mine = new Set<string>();
  private readonly underWay = new UnderWay();
  private readonly notedAbsent = new Set<string>();
  private saidHeld = false;

  constructor(
    private readonly floor: ChatFloor,
    private readonly connection: Pick<ConnectionNotes, 'offline'>,
  ) {
    const { client } = floor;
    client.on('sent', ({ outgoing, place }) => this.sent(outgoing, place));
    client.on('failed', (event) => this.failed(event));
    client.on('held', () => this.held());
    client.on('pending', ({ messageId, offline }) => this.absent(messageId, offline));
    client.on('message', ({ message }) => this.notedAbsent.delete(message.senderId));
  }

  /** Whether this program has sent a message. */
  readonly isMine = (messageId: string): boolean => this.mine.has(messageId);

  /** A message was written, now or in an earlier run. */
  written(outgoing: Outgoing): void {
    const { client, screen } = this.floor;
    this.mine.add(outgoing.messageId);
    this.underWay.add(outgoing);
    if (client.state === 'online' && !this.connection.offline) return;
    screen.print(`  ${TICKS.waiting} waiting: ${safeLine(outgoingText(outgoing))}`);
  }

  private sent(outgoing: Outgoing, place: Place): void {
    this.saidHeld = false;
    const { rooms } = this.floor;
    const { to } = outgoing.record;
    const { conversationId } = place;
    if (to !== undefined) rooms.learnDirect(conversationId, to);
    const room = this.floor.room();
    if (room && room.conversationId === undefined && room.user?.id === to) {
      room.conversationId = conversationId;
    }
    this.done(outgoing, () => this.sentLines(outgoing, place));
  }

  private sentLines(outgoing: Outgoing, place: Place): string[] {
    const { screen, transcript } = this.floor;
    const { conversationId, position, sentAt } = place;
    const room = this.floor.room();
    const here = room?.conversationId === conversationId;
    if (here) room.shownFrom ??= position;
    const lines = messageLines(
      {
        time: clockTime(sentAt),
        author: 'you',
        tick: TICKS.sent,
        text: outgoingText(outgoing),
        own: true,
      },
      screen.columns,
      screen.style,
    );
    const where = here ? [] : [transcript.elsewhere(conversationId)];
    const { messageId } = outgoing;
    return [...where, ...transcript.placed({ conversationId, messageId, position }), ...lines];
  }

  private held(): void {
    if (this.saidHeld) return;
    this.saidHeld = true;
    this.floor.status('the server keeps what you write for now (◦) and sends it as soon as it can');
  }

  private failed({ outgoing, code, detail, void: isVoid }: ClientEvents['failed']): void {
    const { style } = this.floor.screen;
    if (code === 'content_expired' && outgoing) {
      const line = `  ${TICKS.failed} a message was not sent in time and has disappeared`;
      return this.done(outgoing, () => [style.dim(line)]);
    }
    const text = outgoing ? `: ${outgoingText(outgoing)}` : '';
    const what = isVoid ? 'a message shown as sent is void' : `not sent${text}`;
    const why = whyNotSent(outgoing, { code, detail }, this.floor.rooms);
    const line = `${TICKS.failed} ${what} — ${why}`;
    this.done(outgoing, () => [style.bad(line)]);
  }

  /** Prints what became of own messages, in the order in which they were written. */
  private done(outgoing: Outgoing | undefined, lines: () => string[]): void {
    const printed = outgoing ? this.underWay.settle(outgoing, lines) : lines();
    this.floor.screen.print(...printed);
  }

  private absent(messageId: string, offline: readonly string[]): void {
    if (!this.mine.has(messageId)) return;
    for (const userId of offline) {
      if (this.notedAbsent.has(userId)) continue;
      this.notedAbsent.add(userId);
      const name = this.floor.people.name(userId);
      this.floor.status(`${name} is not online; they will get it later`);
    }
  }
}
