import type { Outgoing } from '@tidings/sdk';

/**
 * Own messages between writing and printing. A server may confirm a later message of a chat before
 * an earlier one; they are printed in the order of writing, which is their order in the log.
 */
export class UnderWay {
  private waiting: { outgoing: Outgoing; lines: (() => string[]) | null }[] = [];

  add(outgoing: Outgoing): void {
    this.waiting.push({ outgoing, lines: null });
  }

  /** The messages that are not printed yet, in the order of writing. */
  all(): Outgoing[] {
    return this.waiting.map(({ outgoing }) => outgoing);
  }

  /** What became of a message is known; makes the lines that can be printed now. */
  settle(outgoing: Outgoing, lines: () => string[]): string[] {
    const own = this.waiting.find((w) => w.outgoing.messageId === outgoing.messageId);
    if (!own) return lines();
    own.lines = lines;
    const blocked = new Set<string>();
    const printed: string[] = [];
    this.waiting = this.waiting.filter((w) => {
      const { to, conversationId } = w.outgoing.record;
      const chat = to ?? conversationId ?? '';
      if (w.lines === null) blocked.add(chat);
      if (w.lines === null || blocked.has(chat)) return true;
      printed.push(...w.lines());
      return false;
    });
    return printed;
  }
}
