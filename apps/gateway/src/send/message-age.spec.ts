import { FRESH_MS, isFresh } from './message-age';

const NOW = 1_700_000_000_000;

function v7(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

describe('isFresh', () => {
  it.each([
    { id: v7(NOW), fresh: true },
    { id: v7(NOW - FRESH_MS), fresh: true },
    { id: v7(NOW + FRESH_MS), fresh: true },
    { id: v7(NOW - FRESH_MS - 1), fresh: false },
    { id: v7(NOW + FRESH_MS + 1), fresh: false },
    { id: 'a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d', fresh: false },
  ])('$id: $fresh', ({ id, fresh }) => {
    expect(isFresh(id, NOW)).toBe(fresh);
  });
});
