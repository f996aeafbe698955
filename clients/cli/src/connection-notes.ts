import type { ClientEvents, TidingsClient } from '@tidings/sdk';
import type { Screen } from './screen';

/** A shorter loss of the connection is not worth a word. */
const OFFLINE_AFTER_MS = 1_500;
/** Writing while offline asks for a connection, but not more often than this. */
const NUDGE_EVERY_MS = 2_000;

/** Says when there is no connection, and when it is back. */
export class ConnectionNotes {
  private down = false;
  private timer: NodeJS.Timeout | null = null;
  private lastNudge = 0;

  constructor(
    private readonly client: TidingsClient,
    private readonly screen: Screen,
    private readonly changed: () => void,
  ) {
    client.on('state', (event) => this.heard(event));
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
      if (this.down && state === 'online')
        this.screen.print(this.screen.style.dim('  back online'));
      this.down = false;
      this.changed();
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
    this.screen.print(this.screen.style.bad('  offline — what you type is kept and sent later'));
    this.changed();
  }
}
