import { downFor } from './fault';
import type { Talk } from './workload';

/** Asks for a history page all the time and tells whether one was refused, late or delayed. */
export class Probe {
  troubles = 0;
  private running = true;
  private readonly done: Promise<void>;

  constructor(private readonly talk: Talk) {
    this.done = this.loop();
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.done;
  }

  private async loop(): Promise<void> {
    const user = this.talk.reader;
    while (this.running) {
      for (const base of user.bases) {
        const began = performance.now();
        const path = `/v1/conversations/${this.talk.id}/messages?limit=1`;
        const ok = await user
          .http<{ delayed?: boolean }>('GET', path, undefined, { base })
          .then((a) => a.status === 200 && a.body.delayed !== true)
          .catch(() => false);
        if (!ok || performance.now() - began > 1_000) this.troubles++;
      }
      await downFor(50);
    }
  }
}
