import { Seen } from './seen';

describe('Seen', () => {
  it.each([2, 8, 9, 500])('counts each of %i devices once', (slots) => {
    const seen = new Seen(3, slots);
    for (let slot = 0; slot < slots; slot++) {
      expect(seen.byAll(1)).toBe(false);
      expect(seen.add(1, slot)).toBe(true);
      expect(seen.add(1, slot)).toBe(false);
    }
    expect(seen.byAll(1)).toBe(true);
    expect(seen.byAll(0)).toBe(false);
    expect(seen.byAll(2)).toBe(false);
  });
});
