/** The part of a browser's `document` that is used here. */
export interface Page {
  readonly visibilityState: string;
  addEventListener(name: string, listener: () => void, options?: { passive: boolean }): void;
  removeEventListener(name: string, listener: () => void): void;
}

/** What a page reports about its user. */
export interface PageEars {
  front(): void;
  background(): void;
  active(): void;
}

/** Events that show a user active on a page. */
const ACTS = ['keydown', 'pointerdown', 'pointermove', 'wheel', 'touchstart'] as const;

/** The page that this code runs in; null outside browsers. */
export function ownPage(): Page | null {
  const { document } = globalThis as { document?: Partial<Page> };
  return typeof document?.addEventListener === 'function' ? (document as Page) : null;
}

/**
 * Listens to a page until the returned function is called: its visibility, and the user's input.
 */
export function listenTo(page: Page, ears: PageEars): () => void {
  const look = (): void => (page.visibilityState === 'hidden' ? ears.background() : ears.front());
  const act = (): void => ears.active();
  look();
  page.addEventListener('visibilitychange', look);
  for (const name of ACTS) page.addEventListener(name, act, { passive: true });
  return () => {
    page.removeEventListener('visibilitychange', look);
    for (const name of ACTS) page.removeEventListener(name, act);
  };
}
