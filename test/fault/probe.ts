import { downFor } from './fault';
import type { ChatUser } from '../support/chat-user';

/** A page that takes longer than this comes late, milliseconds: usually it takes some ten. */
const LATE_MS = 300;
const PAUSE_MS = 50;

/** A conversation, and somebody who may read it. */
interface Talk {
  id: string;
  reader: ChatUser;
}

/**
 * Asks for history pages all the time, of one conversation after the other (they lie in different
 * partitions), and counts those that were refused, late or delayed: what users see of a fault.
 */
export class Probe {
  troubles = 0;
  private running = true;
  private readonly done: Promise<void>;

  constructor(private readonly talks: readonly Talk[]) {
    this.done = this.loop();
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.done;
  }

  private async loop(): Promise<void> {
    for (let turn = 0; this.running; turn++) {
      const talk = this.talks[turn % this.talks.length]!;
      for (const base of talk.reader.bases) await this.ask(talk, base);
      await downFor(PAUSE_MS);
    }
  }

  private async ask({ id, reader }: Talk, base: string): Promise<void> {
    const began = performance.now();
    const ok = await reader
      .http<{ delayed?: boolean }>('GET', `/v1/conversations/${id}/messages?limit=1`, undefined, {
        base,
      })
      .then((a) => a.status === 200 && a.body.delayed !== true)
      .catch(() => false);
    if (!ok || performance.now() - began > LATE_MS) this.troubles++;
  }
}
