import { FakePage } from '../testing/fake-page';
import { listenTo, ownPage } from './page';

describe('a page', () => {
  it('tells whether it is visible and what is done on it, until it is left', () => {
    const page = new FakePage();
    const heard: string[] = [];
    const leave = listenTo(page, {
      front: () => heard.push('front'),
      background: () => heard.push('background'),
      active: () => heard.push('active'),
    });
    page.shows('hidden');
    page.shows('visible');
    for (const name of ['keydown', 'pointerdown', 'pointermove', 'wheel', 'touchstart']) {
      page.listeners.get(name)!();
    }
    expect(heard).toEqual(['front', 'background', 'front', ...Array(5).fill('active')]);
    leave();
    expect(page.listeners.size).toBe(0);
  });

  it('is that of the browser, and nowhere else', () => {
    expect(ownPage()).toBe(null);
    const page = new FakePage();
    Object.assign(globalThis, { document: page });
    expect(ownPage()).toBe(page);
    Object.assign(globalThis, { document: undefined });
  });
});
