import type { ClientEvents, TidingsClient } from '@tidings/sdk';

/** A shorter loss of the connection is not worth a word. */
const OFFLINE_AFTER_MS = 1_500;
/** Writing while offline asks for a connection, but not more often than this. */
const NUDGE_EVERY_MS = 2_000;

/** Whether there is a connection, as far as a person wants to know. */
export class ConnectionNotes {
  private down = false;
  private timer: NodeJS.Timeout | null = null;
  private lastNudge = 0;
  private tell: (down: boolean) => void = () => undefined;

  constructor(private readonly client: TidingsClient) {
    client.on('state', (event) => this.heard(event));
  }

  /** Who is told when it is lost, and when it is back. */
  on(listener: (down: boolean) => void): void {
    this.tell = listener;
  }

  /** Whether it was said that there is no connection. */
  get offline(): boolean {
    return this.down;
  }

  /** Somebody wants to write: not the time to wait for the next attempt. */
  nudge(): void {
    const now = performance.now();
    if (!this.down || now - this.lastNudge < NUDGE_EVERY_MS) return;
    this.lastNudge = now;
    this.client.reconnect();
  }

  /** Clears its timer. */
  end(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private heard({ state }: ClientEvents['state']): void {
    if (state === 'online' || state === 'stopped') {
      this.end();
      const back = this.down && state === 'online';
      this.down = false;
      if (back) this.tell(false);
    } else if (state === 'offline') {
      this.say();
    } else {
      this.timer ??= setTimeout(() => this.say(), OFFLINE_AFTER_MS);
    }
  }

  private say(): void {
    this.end();
    if (this.down) return;
    this.down = true;
    this.tell(true);
  }
}
