/** The part of a browser's `document` that is used here. */
export interface Page {
  readonly visibilityState: string;
  addEventListener(name: string, listener: () => void, options?: { passive: boolean }): void;
  removeEventListener(name: string, listener: () => void): void;
}

/** What a page tells of its user. */
export interface PageEars {
  front(): void;
  background(): void;
  active(): void;
}

/** What somebody does who is at a page. */
const ACTS = ['keydown', 'pointerdown', 'pointermove', 'wheel', 'touchstart'] as const;

/** The page that this code runs in; null outside of browsers. */
export function ownPage(): Page | null {
  const { document } = globalThis as { document?: Partial<Page> };
  return typeof document?.addEventListener === 'function' ? (document as Page) : null;
}

/** Listens to a page until the answer is called: whether it is visible, and what is done on it. */
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
