import type { TidingsClient } from '@tidings/sdk';
import type { Terminal } from './screen';

/** Who presses no key for so long is not looking, milliseconds. */
export const AWAY_MS = 5 * 60_000;

/** Tells by the keys whether somebody sits at the terminal; each one shows that they do. */
export class Attention {
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly client: Pick<TidingsClient, 'active' | 'front' | 'background'>,
    screen: Pick<Terminal, 'on'>,
  ) {
    screen.on({ pressed: () => this.pressed() });
    this.wait();
  }

  /** Clears its timer. */
  end(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private pressed(): void {
    this.client.front();
    this.client.active();
    this.wait();
  }

  private wait(): void {
    this.end();
    this.timer = setTimeout(() => this.client.background(), AWAY_MS);
    this.timer.unref();
  }
}
