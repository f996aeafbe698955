import type { TidingsClient } from '@tidings/sdk';
import type { People } from './people';

/** Who writes in the open chat, and that this user does. */
export class TypingNotes {
  constructor(
    private readonly client: Pick<TidingsClient, 'on' | 'typing' | 'typingIn'>,
    private readonly people: Pick<People, 'name'>,
    /** Conversation of the open chat. */
    private readonly here: () => string | undefined,
    /** What {@link line} says has changed. */
    changed: () => void,
  ) {
    client.on('typing', ({ conversationId }) => {
      if (conversationId === here()) changed();
    });
  }

  /** For above the prompt; null: nobody writes. */
  line(): string | null {
    const id = this.here();
    const names = id === undefined ? [] : this.client.typingIn(id).map((u) => this.people.name(u));
    if (names.length === 0) return null;
    if (names.length > 2) return `${names.length} people are typing…`;
    return `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing…`;
  }

  /** The line that is being typed has changed. Commands are nobody's business. */
  typed(line: string): void {
    const id = this.here();
    if (id === undefined) return;
    this.client.typing(id, line.trim() !== '' && !/^\/(?!\/)/.test(line));
  }
}
