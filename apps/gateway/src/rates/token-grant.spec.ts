import { grantTokens } from './token-grant';

const BUCKET = { msPerToken: 100, burst: 5 };
const NOW = 1_000_000;

describe('grantTokens', () => {
  it.each([
    { full: 0, wanted: 1, all: false, taken: 1, fullIn: 100, wait: 0 },
    { full: 0, wanted: 5, all: true, taken: 5, fullIn: 500, wait: 0 },
    { full: 0, wanted: 9, all: false, taken: 5, fullIn: 500, wait: 0 },
    { full: 0, wanted: 6, all: true, taken: 0, fullIn: 0, wait: 100 },
    { full: 500, wanted: 1, all: false, taken: 0, fullIn: 500, wait: 100 },
    { full: 401, wanted: 1, all: false, taken: 0, fullIn: 401, wait: 1 },
    { full: 400, wanted: 1, all: false, taken: 1, fullIn: 500, wait: 0 },
    { full: 450, wanted: 3, all: true, taken: 0, fullIn: 450, wait: 250 },
    { full: 250, wanted: 3, all: false, taken: 2, fullIn: 450, wait: 0 },
    { full: 250, wanted: -1, all: false, taken: -1, fullIn: 150, wait: 0 },
    { full: 50, wanted: -1, all: false, taken: -1, fullIn: 0, wait: 0 },
    { full: 0, wanted: -1, all: false, taken: -1, fullIn: 0, wait: 0 },
    { full: -900, wanted: 5, all: true, taken: 5, fullIn: 500, wait: 0 },
  ])(
    'full in $full ms, $wanted wanted (all: $all): $taken',
    ({ full, wanted, all, ...expected }) => {
      const grant = grantTokens(NOW + full, NOW, { ...BUCKET, wanted, all });
      const { taken, fullIn: fullInMs, wait: waitMs } = expected;
      expect(grant).toEqual({ taken, fullInMs, waitMs });
    },
  );
});
