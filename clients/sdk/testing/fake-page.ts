import type { Page } from '../src/page';

/** A document that a test shows, hides and touches. */
export class FakePage implements Page {
  visibilityState = 'visible';
  readonly listeners = new Map<string, () => void>();

  addEventListener(name: string, listener: () => void): void {
    this.listeners.set(name, listener);
  }

  removeEventListener(name: string, listener: () => void): void {
    if (this.listeners.get(name) === listener) this.listeners.delete(name);
  }

  shows(state: string): void {
    this.visibilityState = state;
    this.listeners.get('visibilitychange')?.();
  }
}
