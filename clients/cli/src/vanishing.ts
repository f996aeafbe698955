import type { ChatFloor } from './chat-floor';

/** What disappears at about the same time is one change of the screen, in milliseconds. */
const TOGETHER_MS = 250;

/** Takes messages off the screen when their time is over. */
export class Vanishing {
  private timer: NodeJS.Timeout | null = null;
  private count = 0;

  constructor(
    private readonly floor: ChatFloor,
    /** The lines of the open chat, as it is now. */
    private readonly view: () => string[],
  ) {
    floor.client.on('expired', ({ messageIds }) => this.gone(messageIds));
    floor.client.on('changed', ({ message }) => {
      if (message.deleted && floor.transcript.has(message.messageId)) this.later();
    });
  }

  /** Clears its timer. */
  end(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private gone(messageIds: readonly string[]): void {
    const shown = messageIds.filter((id) => this.floor.transcript.has(id));
    if (shown.length === 0) return;
    this.count += shown.length;
    this.later();
  }

  private later(): void {
    this.timer ??= setTimeout(() => this.draw(), TOGETHER_MS);
  }

  private draw(): void {
    this.timer = null;
    const { screen, transcript, status, prompt } = this.floor;
    const { count } = this;
    this.count = 0;
    if (screen.interactive) {
      transcript.begin();
      screen.redraw(this.view());
      prompt();
    }
    if (count > 0)
      status(count === 1 ? 'a message has disappeared' : `${count} messages have disappeared`);
  }
}
